"""What readiness says of a server that does not answer."""

import pytest
from aiokafka.errors import KafkaConnectionError

from notes_chassis.health import Health
from notes_query.errors import StoreUnavailable
from notes_query.monitoring.maintenance import probe


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
    assert not await probe(health, "kafka", ask)
    assert health.parts["kafka"].reason == reason
