"""MongoDB goes and comes back, without a human."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from query_support.fixtures import Running, Samples, Send, Settings
from query_support.reading import reached

from notes_query.errors import StoreUnavailable
from notes_query.projecting.fold_store import FoldStore
from tests.harness.metrics import shown
from tests.harness.waiting import eventually


class Wire:
    """A TCP connection to a server that can be cut and mended, and held: then nothing is lost, and nothing comes."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._carriers: set[asyncio.Task[None]] = set()
        self.flows = asyncio.Event()
        self.flows.set()
        self.port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self.flows.set()
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        if self._carriers:
            await asyncio.wait(self._carriers)
        await self._server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._to)
        self._open |= {writer, back}
        carriers = {asyncio.create_task(self._carry(*way)) for way in ((reader, back), (there, writer))}
        self._carriers |= carriers
        await asyncio.wait(carriers)
        self._carriers -= carriers
        self._open -= {writer, back}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(65536):
                await self.flows.wait()
                writer.write(some)
                await writer.drain()
        writer.close()


@pytest.fixture
async def wire(mongo_database: str) -> AsyncIterator[Wire]:
    address = urlsplit(mongo_database)
    wire = Wire(address.hostname or "", address.port or 0)
    await wire.mend()
    yield wire
    await wire.cut()


@pytest.fixture
def wired(settings: Settings, wire: Wire, mongo_database: str) -> Any:
    """Give settings whose MongoDB is behind the wire; `directConnection` keeps the driver from going around it."""
    url = urlsplit(mongo_database)._replace(netloc=f"127.0.0.1:{wire.port}", query="directConnection=true")
    return settings.model_copy(update={"mongo": urlunsplit(url), "query_mongo_timeout_s": 1})


async def test_events_wait_readers_are_told_and_everything_is_there_afterwards(
    *, samples: Samples, wired: Any, wire: Wire, running: Running, send: Send
):
    notes = [samples.id(f"note {number}") for number in range(50)]
    async with running(wired) as client:
        await send(wired.topic_events, samples.record(samples.created()))
        await reached(client, samples.note)
        assert (await client.get("/readyz")).status_code == 200

        await wire.cut()
        await send(wired.topic_events, *(samples.record(samples.created(note)) for note in notes))
        await send(wired.topic_events, samples.record(samples.updated()))

        answer = await client.get(f"/notes/{samples.note}")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["parts"]["mongo"]["ok"] is False

        async def core_waits() -> bool:
            parts = (await client.get("/readyz")).json()["parts"]
            return "StoreUnavailable" in parts["notes"].get("reason", "")

        await eventually(core_waits)
        await wire.mend()

        answer = await eventually(lambda: version_two(client, samples.note))
        for note in notes:
            answer = await client.get(f"/notes/{note}?min_version=1&wait=10")
            assert answer.status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/readyz")).json()["parts"]["notes"]["ok"] is True


async def version_two(client: Any, note: str) -> bool:
    answer = await client.get(f"/notes/{note}?min_version=2&wait=1")
    return answer.status_code == 200 and answer.json()["version"] == 2


async def test_while_mongo_hangs_every_reader_is_told_in_time(
    *, samples: Samples, wired: Any, wire: Wire, running: Running, send: Send
):
    """However many there are: the driver has few threads, and none of them is waited for."""
    outcome = samples.outcome()
    note, command = samples.note, outcome.command_id
    paths = {
        "note": "/notes/{id}",
        "version": "/notes/{id}?min_version=1&wait=0",
        "body": "/notes/{id}/body",
        "history": f"/notes/{note}/history",
        "outcome": "/commands/{id}",
        "after": f"/notes/{note}?after={command}",
    }
    async with running(wired) as client:
        await send(wired.topic_events, samples.record(samples.created()))
        await send(wired.topic_outcomes, samples.record(outcome))
        assert (await client.get(f"/notes/{note}/history?after={command}&wait=10")).status_code == 200

        async def took(path: str) -> tuple[int, float]:
            began = monotonic()
            answer = await client.get(path)
            return answer.status_code, monotonic() - began

        found = {}
        for kind, path in paths.items():
            wire.flows.clear()
            asked = []
            for number in range(80):
                asked.append(asyncio.create_task(took(path.format(id=samples.id(f"{kind} {number}")))))
                await asyncio.sleep(0.002)
            found[kind] = await asyncio.gather(*asked)
            wire.flows.set()
            await eventually(lambda: well(client, note))
    assert {status for answers in found.values() for status, _ in answers} == {503}
    slowest = {kind: max(seconds for _, seconds in answers) for kind, answers in found.items()}
    assert max(slowest.values()) < 2.5 * wired.query_mongo_timeout_s, slowest


async def well(client: Any, note: str) -> bool:
    return (await client.get(f"/notes/{note}")).status_code == 200


async def test_the_service_starts_without_mongo_and_catches_up(
    *, samples: Samples, wired: Any, wire: Wire, running: Running, send: Send
):
    await wire.cut()
    await send(wired.topic_events, samples.record(samples.created()))
    async with running(wired) as client:
        assert (await client.get("/readyz")).status_code == 503
        await wire.mend()

        async def there() -> bool:
            answer = await client.get(f"/notes/{samples.note}")
            return answer.status_code == 200

        await eventually(there)


async def test_what_was_read_but_not_stored_when_the_service_stopped_is_read_again(
    *, samples: Samples, wired: Any, wire: Wire, running: Running, send: Send
):
    async with running(wired) as client:
        await send(wired.topic_events, samples.record(samples.created()))
        await reached(client, samples.note)
        await wire.cut()
        await send(wired.topic_events, samples.record(samples.updated()))

        async def core_waits() -> bool:
            parts = (await client.get("/readyz")).json()["parts"]
            return "StoreUnavailable" in parts["notes"].get("reason", "")

        await eventually(core_waits)

    await wire.mend()
    async with running(wired) as client:
        answer = await client.get(f"/notes/{samples.note}?min_version=2&wait=10")

    assert answer.json()["version"] == 2


async def test_who_waits_is_woken_though_the_answer_to_the_write_was_lost(
    *, samples: Samples, settings: Settings, running: Running, send: Send, monkeypatch: pytest.MonkeyPatch
):
    """The batch comes again and finds all of it stored: nothing is written, and whoever waits is told all the same."""
    write, lost = FoldStore.write, set[int]()

    async def answer_lost(store: Any, writes: Any) -> set[str]:
        taken = await write(store, writes)
        if id(store) not in lost:
            lost.add(id(store))
            raise StoreUnavailable("no answer")
        return taken

    monkeypatch.setattr(FoldStore, "write", answer_lost)
    for part in ("get_note", "after"):
        monkeypatch.setattr(f"notes_query.reads.{part}.MAX_WAIT_S", 60)
    async with running(settings) as client:

        async def owned() -> bool:
            parts = (await client.get("/readyz")).json()["parts"]
            return (
                "notes" in parts
                and parts["notes"]["ok"]
                and 'notes_query_lag_records{projector="notes"}' in (await client.get("/metrics")).text
            )

        await eventually(owned)
        asked = asyncio.create_task(client.get(f"/notes/{samples.note}?min_version=1&wait=60", timeout=90))

        async def waits() -> bool:
            return 'notes_query_awaited{kind="notes"} 1.0' in (await client.get("/metrics")).text

        await eventually(waits)
        woken = shown("notes_query_woken_seconds_count", kind="notes")
        await send(settings.topic_events, samples.record(samples.created()))
        answer = await asked
    assert (answer.status_code, answer.headers["consistency"], len(lost) > 0) == (200, "current", True)
    assert shown("notes_query_woken_seconds_count", kind="notes") == woken + 1
