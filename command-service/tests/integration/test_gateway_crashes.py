"""Killed while a client waits for its 202: the client asks again under the same key, and there is one effect."""

import asyncio
import json
import signal

import httpx
import pytest
from command_support.http_address import free_port, ready
from command_support.processes import ended, serving

from tests.harness.dead_members import remove_members
from tests.harness.kafka_io import new_id

SEND = "notes_command.gateway.command_topic:KafkaCommandTopic.send"
SEAMS = {"taken over HTTP, not on Kafka": "before", "on Kafka, not answered": "after"}


@pytest.mark.parametrize("seam", SEAMS)
async def test_a_client_that_asks_again_after_a_kill_gets_one_effect(write_side, seam):
    settings, port, key = write_side.settings, str(free_port()), new_id()
    arguments = ("tests.harness.crash", "notes_command", SEND, SEAMS[seam], "1")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:

        async def post():
            headers = {"Idempotency-Key": key, "Prefer": "wait=30"}
            return await http.post("/commands/create-note", json={"title": "T"}, headers=headers)

        dying = asyncio.create_task(ended(settings, *arguments, NOTES_COMMAND_PORT=port))
        await ready(port)
        with pytest.raises(httpx.TransportError):
            await post()
        assert (await dying).code == -signal.SIGKILL
        await remove_members(settings.kafka, settings.command_group)
        async with serving(settings, NOTES_COMMAND_PORT=port):
            await ready(port)
            answer = await post()
            assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
            note = answer.json()["note_id"]
            assert (await http.get(f"/notes/{note}")).json()["version"] == 1
            outcomes = await write_side.outcomes(1 if SEAMS[seam] == "before" else 2)
    assert {json.loads(record.value)["command_id"] for record in outcomes} == {key}
    assert len({record.value for record in outcomes}) == 1, "one outcome, however often it is sent"
    assert len(await write_side.events(1)) == 1
