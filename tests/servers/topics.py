"""The fixture of topics, without what speaks to Kafka: unit tests load it, too, and need no driver."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.addresses import Servers
from tests.servers.background import Background


@pytest.fixture
def topics(servers: Servers, background: Background) -> Iterator[Any]:
    """Give five topics of this test's own (`tests.servers.kafka.Topics`), which go with the test."""
    from tests.servers import kafka  # noqa: PLC0415 - slow to import

    names = kafka.new_names()
    background.run(kafka.create(servers.kafka, names))
    yield names
    background.run(kafka.delete(servers.kafka, names))
