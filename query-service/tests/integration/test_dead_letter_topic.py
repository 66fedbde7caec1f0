"""The producer of dead letters, against a real broker that goes away."""

from typing import Any

import pytest
from query_support.fixtures import Samples, Settings

from notes_chassis.kafka import clients
from notes_chassis.kafka.cluster import Cluster
from notes_contracts import Code
from notes_query.errors import SendFailed
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing import dead_letter_relay
from notes_query.repairing.dead_letter_relay import DeadLetterTopic
from tests.harness.kafka_line import kafka_over_a_line, tasks_of_aiokafka


async def test_nothing_of_a_producer_that_failed_goes_on(
    *, samples: Samples, settings: Settings, servers: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dead_letter_relay, "_ANSWER_S", 3.0)
    monkeypatch.setattr(clients, "STOP_S", 0.1)
    topic = DeadLetterTopic(Cluster(servers.kafka), settings.topic_event_dead_letters)
    dead_letter = DeadLetter(samples.record(samples.created()), Code.INTERNAL, "a reason", samples.start)
    async with kafka_over_a_line(servers.kafka) as line:
        await topic.send(dead_letter)
        assert tasks_of_aiokafka()

        await line.cut()
        with pytest.raises(SendFailed):
            await topic.send(dead_letter)

    assert tasks_of_aiokafka() == []
