"""The producer of dead letters, against a real broker that goes away."""

import asyncio
from typing import Any

import pytest
from aiokafka import client as aiokafka_client

from notes_contracts import Code
from notes_query.adapters.kafka import dead_letter_topic
from notes_query.adapters.kafka.dead_letter_topic import DeadLetterTopic
from notes_query.application.errors import SendFailed
from notes_query.application.ports import DeadLetter
from tests.harness.proxy import proxied


def tasks_of_aiokafka() -> list[str]:
    # Once cancelled, its `stop` also leaves a task that waits for itself alone: garbage, and no work is done in it.
    tasks = [str(task) for task in asyncio.all_tasks()]
    return [task for task in tasks if "aiokafka" in task and "MessageAccumulator.close" not in task]


async def test_nothing_of_a_producer_that_failed_goes_on(*, samples: Any, settings: Any, servers: Any):
    host, port = servers.kafka.rsplit(":", 1)
    create = aiokafka_client.create_conn
    async with proxied(host, int(port)) as line:

        async def over_the_line(_host: str, _port: int, **named: Any) -> Any:
            return await create("127.0.0.1", line.port, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aiokafka_client, "create_conn", over_the_line)
            patch.setattr(dead_letter_topic, "_ANSWER_S", 3.0)
            patch.setattr(dead_letter_topic, "_STOP_S", 0.1)
            topic = DeadLetterTopic(servers.kafka, settings.topic_event_dead_letters)
            letter = DeadLetter(samples.record(samples.created()), Code.INTERNAL, "a reason", samples.start)
            await topic.send(letter)
            assert tasks_of_aiokafka()

            await line.cut()
            with pytest.raises(SendFailed):
                await topic.send(letter)

    assert tasks_of_aiokafka() == []
