"""The relay's producer, against a real broker that goes away."""

import pytest

from notes_command.adapters.kafka import broker as broker_module
from notes_command.adapters.kafka.broker import KafkaBroker
from notes_command.application.relay_ports import Record, SendFailed
from tests.harness.kafka_line import kafka_over_a_line, tasks_of_aiokafka


async def test_nothing_of_a_producer_that_failed_goes_on(write_side, monkeypatch):
    settings = write_side.settings
    monkeypatch.setattr(broker_module, "ANSWER_S", 3.0)
    monkeypatch.setattr(broker_module, "STOP_S", 0.1)
    broker = KafkaBroker(settings.kafka)
    record = Record(1, (settings.topic_events, "a note"), settings.topic_events, 0, b"a note", b"{}", ())
    async with kafka_over_a_line(settings.kafka) as line:
        await broker.send([record])
        assert tasks_of_aiokafka()

        await line.cut()
        with pytest.raises(SendFailed):
            await broker.send([record])

    assert tasks_of_aiokafka() == []
