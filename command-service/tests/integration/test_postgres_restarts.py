"""PostgreSQL restarts as a server that only reads, as a failover leaves it, and later writes again."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from notes_contracts import CreateNote, UpdateNote, random_id
from tests.harness.kafka_io import command, header
from tests.harness.waiting import eventually

Says = Callable[[str], Awaitable[Any]]


@pytest.fixture
async def says(servers: Any) -> AsyncIterator[Says]:
    """Give what runs a statement on the server, in another database than the test's."""
    connection = await asyncpg.connect(servers.postgres)
    yield connection.execute
    await connection.close()


async def test_commands_wait_readers_get_answers_or_are_told_to_come_again_and_all_goes_on(
    write_side: Any, says: Says
) -> None:
    name = write_side.settings.postgres.rpartition("/")[2]
    ends = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    note = random_id()
    answers: list[Any] = []

    async with write_side.running() as client:
        await write_side.publish([command(CreateNote(note_id=note, title="T"))])
        await write_side.outcomes(1)
        reading = asyncio.create_task(read_on(client, f"/notes/{note}", answers))

        await says(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        await says(ends)
        await write_side.publish([command(UpdateNote(note_id=note, body=f"{at}")) for at in range(5)])
        while "postgres" not in (await client.get("/readyz")).text or not await waits(client):
            await asyncio.sleep(0.02)
        assert await write_side.fetch("SELECT version FROM notes") == [(1,)]

        await says(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
        await says(ends)
        # The relay may send again what it could not delete: the same, under the same id.
        outcomes = by_command(await write_side.read_until(write_side.settings.topic_outcomes, of_six))
        count = len(answers)
        await eventually(lambda: len(answers), lambda found: found >= count + 3)
        reading.cancel()
        await asyncio.wait([reading])
        assert (await client.get(f"/notes/{note}")).json()["version"] == 6

    assert [len(repeats) for repeats in outcomes.values()] == [1] * 6
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert all(answer.headers.get("retry-after") for answer in answers if answer.status_code == 503)
    assert await write_side.fetch("SELECT FROM dead_letters") == []


def by_command(records: Any) -> dict[str, set[tuple[str | None, bytes]]]:
    found: dict[str, set[tuple[str | None, bytes]]] = {}
    for record in records:
        found.setdefault(json.loads(record.value)["command_id"], set()).add((header(record, "ce_id"), record.value))
    return found


def of_six(records: Any) -> bool:
    return len(by_command(records)) == 6


async def read_on(client: Any, path: str, answers: list[Any]) -> None:
    while True:
        answers.append(await client.get(path))
        await asyncio.sleep(0.01)


async def waits(client: Any) -> bool:
    return "notes_command_waiting 1.0" in (await client.get("/metrics")).text
