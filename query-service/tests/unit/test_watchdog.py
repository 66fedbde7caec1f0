"""A consumer that is dead is found; one that waits, or has nothing to do, is left alone."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from notes_query.entrypoints import metrics
from notes_query.entrypoints.consumer import supervisor as module
from notes_query.entrypoints.consumer.supervisor import ConsumerSupervisor
from notes_query.entrypoints.consumer.watchdog import Vitals, Watchdog
from notes_query.entrypoints.health import Health

IDLE = Vitals(positions={0: 5}, ends={0: 5})
BEHIND = Vitals(positions={0: 5, 1: 9}, ends={0: 8, 1: 9})
MOVED = Vitals(positions={0: 6, 1: 9}, ends={0: 8, 1: 9})
WAITING = Vitals(waiting=True, busy=True, positions={0: 5}, ends={0: 8})
AWAY = Vitals(reachable=False, assigned=False)
UNASSIGNED = Vitals(assigned=False)
BUSY = Vitals(busy=True)


def complaint(*looks: Vitals, apart_s: float = 50.0) -> str | None:
    """Give what is said at the last look; the ones before must be silent."""
    moments = iter(range(len(looks)))
    now = 0.0
    watchdog = Watchdog(clock=lambda: now)
    for moment in moments:
        now = moment * apart_s
        found = watchdog.complaint(looks[moment])
        if moment < len(looks) - 1:
            assert found is None
    return found


@pytest.mark.parametrize(
    ("looks", "says"),
    [
        ([BEHIND] * 4, "partition 0: no progress for 120 s"),
        ([MOVED, *[BEHIND] * 4], "partition 0: no progress"),
        ([UNASSIGNED] * 3, "no partitions were assigned for 90 s"),
        ([BUSY] * 4, "the batch in hand: no progress"),
        ([Vitals(dead=("the fetch task",))], "the fetch task ended"),
        ([*[WAITING] * 5, Vitals(dead=("the consuming task",), waiting=True)], "the consuming task ended"),
    ],
)
def test_one_that_is_dead_is_found(looks: Sequence[Vitals], says: str):
    assert says in str(complaint(*looks))


@pytest.mark.parametrize(
    "looks",
    [
        [IDLE] * 9,
        [BEHIND, MOVED] * 5,
        [WAITING] * 20,
        [BEHIND, BEHIND, WAITING, BEHIND, BEHIND, WAITING, BEHIND],
        [AWAY] * 20,
        [UNASSIGNED, AWAY, UNASSIGNED, AWAY, UNASSIGNED],
        [UNASSIGNED, IDLE, UNASSIGNED, IDLE],
        [BUSY, IDLE, BUSY, BUSY, IDLE],
        [Vitals()] * 9,  # assigned nothing: there are more instances than partitions
    ],
)
def test_one_that_works_or_waits_is_left_alone(looks: Sequence[Vitals]):
    assert complaint(*looks) is None


class Life:
    """A subscription that does as it is told."""

    def __init__(self, ended: list["Life"], refusal: Exception | None = None, dead: tuple[str, ...] = ()) -> None:
        self.ended, self.refusal, self.dead = ended, refusal, dead

    async def start(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def stop(self) -> None:
        self.ended.append(self)

    async def vitals(self) -> Vitals:
        return Vitals(dead=self.dead)


async def test_every_life_is_ended_and_only_deaths_are_counted(monkeypatch: Any):
    monkeypatch.setattr("notes_chassis.backoff.FIRST_S", 0.0)
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    ended: list[Life] = []
    lives = [Life(ended, KafkaConnectionError()), Life(ended, dead=("the fetch task",)), Life(ended)]
    coming: list[Any] = list(lives)
    looks: list[Vitals] = []

    async def nothing() -> list[str]:
        return []

    health = Health()
    before = metrics.RESTARTS.labels("watched")._value.get()
    supervisor = ConsumerSupervisor("watched", lambda: coming.pop(0), nothing, health, looks.append)
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(5):
        while coming or not health.parts["watched"].ok:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    assert ended == lives
    assert metrics.RESTARTS.labels("watched")._value.get() - before == 1
    assert Vitals(dead=("the fetch task",)) in looks
