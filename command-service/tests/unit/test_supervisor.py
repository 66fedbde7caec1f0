"""The watchdog finds consumers that are dead, and leaves alone those that wait."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from command_support.waiting import stop, until

from notes_chassis.backoff import Backoff
from notes_command.entrypoints import metrics
from notes_command.entrypoints.consumer import supervisor as module
from notes_command.entrypoints.consumer.supervisor import ConsumerSupervisor
from notes_command.entrypoints.consumer.watchdog import Vitals, Watchdog
from notes_command.entrypoints.health import Health

IDLE = Vitals(positions={0: 5}, ends={0: 5})
BEHIND = Vitals(positions={0: 5, 1: 9}, ends={0: 8, 1: 9})
MOVED = Vitals(positions={0: 6, 1: 9}, ends={0: 8, 1: 9})
BACKOFF = Vitals(waiting=True, busy=True, positions={0: 5}, ends={0: 8})
AWAY = Vitals(reachable=False, assigned=False)
UNASSIGNED, BUSY = Vitals(assigned=False), Vitals(busy=True)


def judged(seen: Sequence[Vitals], every_s: float = 50.0) -> str | None:
    """Return the last verdict after that many looks, so far apart."""
    now = 0.0
    watchdog = Watchdog(clock=lambda: now)
    verdict = None
    for number, vitals in enumerate(seen):
        now = number * every_s
        verdict = watchdog.ailment(vitals)
        assert verdict is None or number == len(seen) - 1, "nothing comes after the verdict"
    return verdict


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ([BEHIND] * 4, r"partitions \[0\] have not moved"),
        ([MOVED, BEHIND, BEHIND, BEHIND, BEHIND], "have not moved"),
        ([UNASSIGNED] * 3, "no assignment for 90 s"),
        ([BUSY] * 4, "one batch has been in hand"),
        ([Vitals(ended=("aiokafka's fetcher",))], "aiokafka's fetcher ended"),
        ([BACKOFF] * 9 + [Vitals(ended=("the consuming loop",), waiting=True)], "the consuming loop ended"),
    ],
)
def test_a_dead_consumer_is_found(seen: list[Vitals], says: str) -> None:
    verdict = judged(seen)
    assert verdict is not None
    assert __import__("re").search(says, verdict)


@pytest.mark.parametrize(
    "seen",
    [
        [IDLE] * 9,
        [BEHIND, MOVED] * 5,
        [BACKOFF] * 20,
        [BEHIND, BEHIND, BACKOFF, BEHIND, BEHIND, BACKOFF, BEHIND],
        [AWAY] * 20,
        [UNASSIGNED, AWAY, UNASSIGNED, AWAY, UNASSIGNED],
        [UNASSIGNED, IDLE, UNASSIGNED, IDLE],
        [BUSY, IDLE, BUSY, BUSY, IDLE],
        [Vitals()] * 9,  # more instances than partitions: assigned, nothing
    ],
)
def test_one_that_works_or_waits_is_left_alone(seen: list[Vitals]) -> None:
    assert judged(seen) is None


@dataclass
class Life:
    """One subscription: starts or not, is ill at the given look, counts its stops."""

    start_error: Exception | None = None
    ended_tasks: tuple[str, ...] = ()
    stops: list["Life"] = field(default_factory=list)

    async def start(self) -> None:
        if self.start_error:
            raise self.start_error

    async def stop(self) -> None:
        self.stops.append(self)

    def resume(self) -> None:
        pass

    def ended(self) -> tuple[str, ...]:
        return self.ended_tasks

    async def vitals(self) -> Vitals:
        return Vitals(ended=self.ended_tasks)


async def test_each_life_is_stopped_and_only_deaths_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "next", lambda _: 0.0)
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    stops: list[Life] = []
    lives = [Life(KafkaConnectionError(), stops=stops), Life(ended_tasks=("the loop",), stops=stops), Life(stops=stops)]
    left: list[Any] = list(lives)
    health, before = Health(), metrics.RESTARTS._value.get()
    running = asyncio.create_task(ConsumerSupervisor(lambda: left.pop(0), health).run())
    await until(lambda: not left and health.parts["consumer"].ok)
    await stop(running)
    assert stops == lives
    assert metrics.RESTARTS._value.get() - before == 1
