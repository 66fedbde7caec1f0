"""What `/metrics` shows while real servers are there, and while PostgreSQL is not."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from notes_chassis.kafka import supervisor
from notes_command.outbox import backlog
from notes_command.pipeline import retention
from notes_contracts import CreateNote, UpdateNote
from tests.harness.kafka_io import Sent, command, new_id
from tests.harness.proxy import proxied
from tests.harness.waiting import eventually

Figures = dict[str, float]
WITHIN_S = 60.0
PREFIX = "notes_command_"


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((backlog, "POLL_S"), (retention, "CHECK_S"), (supervisor, "CHECK_S")):
        monkeypatch.setattr(module, name, 0.1)


async def figures(client: httpx.AsyncClient) -> Figures:
    """Return the samples by name, without its prefix, and labels."""
    text = (await client.get("/metrics")).text
    return {
        " ".join([sample.name.removeprefix(PREFIX), *sorted(filter(None, sample.labels.values()))]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def shown(client: httpx.AsyncClient, holds: Callable[[Figures], bool]) -> Figures:
    """Return the figures once they are as wanted."""

    def own(found: Figures) -> Figures:
        return {name: value for name, value in found.items() if not name.startswith(("python", "process"))}

    return await eventually(lambda: figures(client), holds, within_s=WITHIN_S, show=own)


async def test_what_came_of_the_commands_is_counted(write_side: Any) -> None:
    known = command(CreateNote(note_id=new_id(), title="T"))
    rubbish = Sent(known.key, b"{", [(name, new_id().encode() if name == "ce_id" else v) for name, v in known.headers])
    lost = command(UpdateNote(note_id=new_id(), body="b"))
    topic = write_side.settings.topic_commands
    async with write_side.running() as client:
        before = await figures(client)
        await write_side.publish([known, known, rubbish, lost])
        await write_side.outcomes(4)
        after = await shown(
            client,
            lambda now: (
                now.get("dead_letters_kept open") == 1
                and now["outbox_rows"] == 0
                and now.get(f"lag_records {topic}") == 0
                and now["batch_records_sum"] - before["batch_records_sum"] >= 4
                and now["relay_sent_total"] - before["relay_sent_total"] >= 6
            ),
        )
        grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    assert grown["outcomes_total accepted"] == 1
    assert grown["outcomes_total note_not_found rejected"] == 1
    assert grown["outcomes_total failed undecodable"] == 1
    assert grown["duplicates_total"] == 1
    assert grown["dead_letters_total undecodable"] == 1
    assert (grown["batch_records_sum"], after["outbox_age_seconds"], after[f"lag_seconds {topic}"]) == (4, 0, 0)
    assert grown["relay_sent_total"] == 6, "four outcomes, an event and a dead letter"


async def test_lag_shows_while_nothing_can_be_stored_and_is_gone_afterwards(write_side: Any) -> None:
    topic = write_side.settings.topic_commands
    address = urlsplit(write_side.settings.postgres)
    async with proxied(address.hostname or "", address.port or 0) as postgres:
        url = address._replace(netloc=f"{address.username}:{address.password}@127.0.0.1:{postgres.port}").geturl()
        async with write_side.running(postgres=url) as client:
            await write_side.publish([command(CreateNote(note_id=new_id(), title="T"))])
            await write_side.outcomes(1)
            await shown(client, lambda now: now.get(f"lag_records {topic}") == 0)
            await postgres.cut()
            await write_side.publish([command(CreateNote(note_id=new_id(), title="T")) for _ in range(7)])
            behind = await shown(
                client, lambda now: now[f"lag_records {topic}"] == 7 and now[f"lag_seconds {topic}"] > 1
            )
            assert behind["waiting"] == 1
            await postgres.mend()
            await write_side.outcomes(8)
            healed = await shown(client, lambda now: now[f"lag_records {topic}"] == 0)
            assert (healed[f"lag_seconds {topic}"], healed["waiting"]) == (0, 0)


async def test_clients_that_wait_are_counted(write_side: Any) -> None:
    async with write_side.running() as client:
        asking = [asyncio.create_task(client.get(f"/commands/{new_id()}?wait=20", timeout=60)) for _ in range(3)]
        await shown(client, lambda now: now["waiting_clients"] == 3)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        await shown(client, lambda now: now["waiting_clients"] == 0)
