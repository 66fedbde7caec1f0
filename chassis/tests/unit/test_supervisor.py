"""A consumer that is dead is found; one that waits, or has nothing to do, is left alone."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed
from chassis_support.loop import Loop

from notes_chassis.kafka import supervisor as module
from notes_chassis.kafka.supervisor import ConsumerSupervisor
from notes_chassis.kafka.topic_state import TopicState
from notes_chassis.kafka.watchdog import HealthSample, Watchdog
from tests.harness.waiting import eventually, stop

IDLE = HealthSample(positions={0: 5}, ends={0: 5})
BEHIND = HealthSample(positions={0: 5, 1: 9}, ends={0: 8, 1: 9})
MOVED = HealthSample(positions={0: 6, 1: 9}, ends={0: 8, 1: 9})
WAITING = HealthSample(waiting=True, busy=True, positions={0: 5}, ends={0: 8})
AWAY = HealthSample(reachable=False, assigned=False)
UNASSIGNED = HealthSample(assigned=False)
BUSY = HealthSample(busy=True)


def diagnosis(*samples: HealthSample, apart_s: float = 50.0) -> str | None:
    """Return the diagnosis of the last sample; the samples before must have none."""
    now = 0.0
    watchdog = Watchdog(clock=lambda: now)
    for sample in samples[:-1]:
        assert watchdog.diagnosis(sample) is None
        now += apart_s
    return watchdog.diagnosis(samples[-1])


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        ([BEHIND] * 4, "partition 0: no progress for 120 s"),
        ([MOVED, *[BEHIND] * 4], "partition 0: no progress"),
        ([UNASSIGNED] * 3, "no partitions were assigned for 90 s"),
        ([BUSY] * 4, "the batch in hand: no progress"),
        ([HealthSample(dead=("the fetch task",))], "the fetch task ended"),
        ([*[WAITING] * 5, HealthSample(dead=("the consuming task",), waiting=True)], "the consuming task ended"),
    ],
)
def test_one_that_is_dead_is_found(samples: Sequence[HealthSample], says: str):
    assert says in str(diagnosis(*samples))


@pytest.mark.parametrize(
    "samples",
    [
        [IDLE] * 9,
        [BEHIND, MOVED] * 5,
        [HealthSample(busy=True, positions={0: at}, ends={0: at}) for at in range(9)],  # never the same batch in hand
        [WAITING] * 20,
        [BEHIND, BEHIND, WAITING, BEHIND, BEHIND, WAITING, BEHIND],
        [AWAY] * 20,
        [UNASSIGNED, AWAY, UNASSIGNED, AWAY, UNASSIGNED],
        [UNASSIGNED, IDLE, UNASSIGNED, IDLE],
        [BUSY, IDLE, BUSY, BUSY, IDLE],
        [HealthSample(positions={0: 5}, ends={0: 8}, paused=frozenset({0}))] * 9,
        [HealthSample()] * 9,  # assigned nothing: there are more instances than partitions
    ],
)
def test_one_that_works_or_waits_is_left_alone(samples: Sequence[HealthSample]):
    assert diagnosis(*samples) is None


class Life:
    """A subscription that does as it is told."""

    def __init__(self, ended: list["Life"], refusal: Exception | None = None, dead: tuple[str, ...] = ()) -> None:
        self.ended, self.refusal, self.dead = ended, refusal, dead
        self.refused: Exception | None = None

    async def start(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def stop(self) -> None:
        self.ended.append(self)

    async def sample(self) -> HealthSample:
        return HealthSample(dead=self.dead, refusal=self.refused)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notes_chassis.process.FIRST_S", 0.0)
    monkeypatch.setattr(module, "CHECK_S", 0.0)


async def there() -> TopicState:
    return TopicState("things", "one", 12)


@pytest.mark.usefixtures("at_once")
async def test_every_life_is_ended_and_only_deaths_are_counted():
    ended: list[Life] = []
    lives = [Life(ended, KafkaConnectionError()), Life(ended, dead=("the fetch task",)), Life(ended)]
    coming: list[Any] = list(lives)
    samples: list[HealthSample] = []
    loop = Loop()
    before = loop.count("consumer_restarts_total")
    supervisor = ConsumerSupervisor(loop.consumer, lambda: coming.pop(0), there, samples.append)
    running = asyncio.create_task(supervisor.run())
    await eventually(lambda: not coming and loop.health.parts["things"].ok)
    await stop(running)

    assert ended == lives
    assert loop.count("consumer_restarts_total") - before == 1
    assert HealthSample(dead=("the fetch task",)) in samples


@pytest.mark.usefixtures("at_once")
async def test_a_topic_that_is_not_there_is_named_and_waited_for():
    loop = Loop()
    answers = [TopicState("things", problem="there is no topic things")] * 2

    async def asked() -> TopicState:
        return answers.pop() if answers else await there()

    ended: list[Life] = []
    supervisor = ConsumerSupervisor(loop.consumer, lambda: Life(ended), asked)
    running = asyncio.create_task(supervisor.run())
    await eventually(lambda: "things" in loop.health.parts)
    assert loop.health.parts["things"].reason == "there is no topic things"
    assert ended == []
    await eventually(lambda: loop.health.parts["things"].ok)
    await stop(running)


@pytest.mark.usefixtures("at_once")
async def test_a_password_that_is_wrong_by_now_is_told_until_it_is_right():
    loop, life = Loop(), Life([])
    supervisor = ConsumerSupervisor(loop.consumer, lambda: life, there)
    running = asyncio.create_task(supervisor.run())
    await eventually(lambda: "things" in loop.health.parts)
    life.refused = SaslAuthenticationFailed()
    await eventually(lambda: not loop.health.parts["things"].ok)
    assert loop.health.parts["things"].reason == "Kafka: SaslAuthenticationFailed"
    life.refused = None
    await eventually(lambda: loop.health.parts["things"].ok)
    await stop(running)
