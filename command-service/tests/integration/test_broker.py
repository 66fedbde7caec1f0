"""The relay's producer, against a real broker that goes away."""

import asyncio

import pytest
from aiokafka import client as aiokafka_client

from notes_command.adapters.kafka import broker as broker_module
from notes_command.adapters.kafka.broker import KafkaBroker
from notes_command.application.relay_ports import Record, SendFailed
from tests.harness.proxy import proxied


def tasks_of_aiokafka():
    # Once cancelled, its `stop` also leaves a task that waits for itself alone: garbage, and no work is done in it.
    tasks = [str(task) for task in asyncio.all_tasks()]
    return [task for task in tasks if "aiokafka" in task and "MessageAccumulator.close" not in task]


async def test_nothing_of_a_producer_that_failed_goes_on(write_side):
    settings = write_side.settings
    host, port = settings.kafka.rsplit(":", 1)
    create = aiokafka_client.create_conn
    async with proxied(host, int(port)) as line:

        async def over_the_line(_host, _port, **named):
            return await create("127.0.0.1", line.port, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aiokafka_client, "create_conn", over_the_line)
            patch.setattr(broker_module, "ANSWER_S", 3.0)
            patch.setattr(broker_module, "STOP_S", 0.1)
            broker = KafkaBroker(settings.kafka)
            record = Record(1, (settings.topic_events, "a note"), settings.topic_events, 0, b"a note", b"{}", ())
            await broker.send([record])
            assert tasks_of_aiokafka()

            await line.cut()
            with pytest.raises(SendFailed):
                await broker.send([record])

    assert tasks_of_aiokafka() == []
