"""Clients that wait cost no queries while they wait, and are answered together."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any

import httpx
import pytest
from pymongo import monitoring
from query_support.fixtures import Samples, Send, SendMany, Settings

from tests.harness.metrics import shown
from tests.harness.waiting import eventually

WINDOW_S = 3.0
WAIT_S = 60
"""So long that a busy machine does not end a wait before what is waited for is even sent."""
READ = "find notes_v2_1"
FINDS = 3
"""Reads of all who wait together, after partitions have come or gone."""


class Commands(monitoring.CommandListener):
    """Counts what is sent to MongoDB."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Count one."""
        collection = event.command.get("collection") or event.command.get(event.command_name)
        self.names.append(f"{event.command_name} {collection}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to do."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to do."""


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Count the commands of every client that is made from now on."""
    commands = Commands()
    listeners = monitoring._LISTENERS
    monkeypatch.setattr(monitoring, "_LISTENERS", monitoring._Listeners([commands], *listeners[1:]))
    return commands


@pytest.fixture(autouse=True)
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a reader wait longer than readers may."""
    for part in ("get_note", "after", "share"):
        monkeypatch.setattr(f"notes_query.reads.{part}.MAX_WAIT_S", WAIT_S)


@pytest.fixture
def settings(settings: Settings) -> Any:
    """Give a busy machine time for what hundreds read at once."""
    limits = ("query_mongo_timeout_s", "query_search_timeout_s")
    return settings.model_copy(update=dict.fromkeys(limits, float(WAIT_S)))


def woken(kind: str) -> float:
    """Return how many readers were woken, those not counted who read by themselves when their time was over."""
    return shown("notes_query_woken_seconds_count", kind=kind)


async def waiting(count: int, kind: str = "notes") -> None:
    """Return once that many notes are waited for."""
    await eventually(lambda: shown("notes_query_awaited", kind=kind), lambda found: found == count)


async def quiet(commands: Commands) -> None:
    """Return once nobody reads any more: each does so once before it waits."""
    async with asyncio.timeout(30):
        while True:
            read = commands.names.count(READ)
            await asyncio.sleep(1.0)
            if commands.names.count(READ) - read <= 1:
                return


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
async def test_hundreds_who_wait_ask_nothing_meanwhile_and_are_woken_by_one_batch(
    *, samples: Samples, settings: Settings, listening: Any, send: Send, commands: Commands, apart: bool, ready: Any
):
    notes = [samples.id(f"note {number}") for number in range(300)]
    records = [samples.record(samples.created(note)) for note in notes]
    only = ("projector", "api") if apart else (None, None)
    async with listening(settings, only[0]) as projector, listening(settings, only[1]) as instance:
        await ready(projector)
        asked = [asyncio.create_task(get(instance.client, note)) for note in notes]
        await waiting(len(notes))
        await quiet(commands)
        before = len(commands.names)
        await asyncio.sleep(WINDOW_S)  # the window in which nothing may be asked
        during = Counter(commands.names[before:])
        before, woken_before = len(commands.names), woken("notes")
        await asyncio.gather(*(send(settings.topic_events, record) for record in records))
        answers = await asyncio.gather(*asked)

    assert {(answer.status_code, answer.headers["consistency"]) for answer in answers} == {(200, "current")}
    assert during[READ] <= FINDS, f"{during} for {len(notes)} who wait"
    assert during.total() < len(notes)
    assert woken("notes") - woken_before == len(notes)
    assert Counter(commands.names[before:])[READ] <= 30  # the projector, and those who are woken together


async def get(client: httpx.AsyncClient, note: str) -> httpx.Response:
    return await client.get(f"/notes/{note}?min_version=1&wait={WAIT_S}", timeout=2 * WAIT_S)


@pytest.mark.parametrize("path", ["/notes?limit=1&", "/notes/search?q=title&limit=1&"], ids=["list", "search"])
async def test_hundreds_who_wait_for_commands_ask_nothing_meanwhile(
    *,
    samples: Samples,
    settings: Settings,
    listening: Any,
    send_many: SendMany,
    commands: Commands,
    path: str,
    ready: Any,
):
    """Lists and searches have few places: those who have waited queue for them, and nobody is refused."""
    notes = [samples.id(f"note {number}") for number in range(300)]
    outcomes = [samples.outcome(f"command {note}", note_id=note) for note in notes]
    async with listening(settings, "projector") as projector, listening(settings, "api") as instance:
        await ready(projector)
        ask = partial(instance.client.get, timeout=2 * WAIT_S)
        asked = [asyncio.create_task(ask(f"{path}after={one.command_id}&wait={WAIT_S}")) for one in outcomes]
        await waiting(len(notes), "commands")
        await asyncio.sleep(1.0)  # each reads once before it waits
        before = len(commands.names)
        await asyncio.sleep(WINDOW_S)  # the window in which nothing may be asked
        during = Counter(commands.names[before:])
        before, woken_before = len(commands.names), [woken("commands"), woken("notes")]
        await send_many(settings.topic_outcomes, [samples.record(one) for one in outcomes])
        await waiting(len(notes), "notes")
        await send_many(settings.topic_events, [samples.record(samples.created(note)) for note in notes])
        answers = await asyncio.gather(*asked)
        after = Counter(commands.names[before:])

    assert {(answer.status_code, answer.headers.get("consistency")) for answer in answers} == {(200, "current")}
    assert during["find outcomes"] <= FINDS, during
    assert during.total() < len(notes), during
    assert [woken("commands") - woken_before[0], woken("notes") - woken_before[1]] == [len(notes)] * 2
    assert after["find outcomes"] <= 30, after
    assert after["find search_v2_1"] <= 30, after
