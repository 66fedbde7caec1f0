"""What readiness says of a server that does not answer."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from notes_chassis.health import Health
from notes_query.errors import StoreUnavailable
from notes_query.monitoring.maintenance import Periodic, probe


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KafkaConnectionError("no connection to broker-7.internal:9092"), "Kafka: KafkaConnectionError"),
        (OSError("broker-7.internal"), "OSError"),
        (StoreUnavailable("MongoDB: NetworkTimeout"), "MongoDB: NetworkTimeout"),
    ],
)
async def test_readiness_is_public_and_names_no_host(error: Exception, reason: str) -> None:
    async def ask() -> None:
        raise error

    health = Health()
    await probe(health, "kafka", ask)
    assert health.parts["kafka"].reason == reason


async def test_steps_of_all_tasks_begin_at_the_same_moments_and_each_once(monkeypatch: pytest.MonkeyPatch):
    now, slept = [100.25], list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds - 0.001  # a timer that comes a moment early
        if len(slept) == 3:
            raise asyncio.CancelledError

    async def step() -> bool:
        return False

    monkeypatch.setattr("notes_query.monitoring.maintenance.monotonic", lambda: now[0])
    monkeypatch.setattr("notes_query.monitoring.maintenance.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await Periodic("steps", step, 1.0).run()

    assert slept == [0.75, 1.001, 1.001]
