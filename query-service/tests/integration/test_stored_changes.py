"""How a change stream begins, and what it leaves to others."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo import monitoring
from query_support.fixtures import Samples

from notes_query.live.remote_wakeups import MongoChanges
from notes_query.mongo.database import Database
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.waiters import level_of

NOTES = "notes_v2_1"


class Conversation(monitoring.CommandListener):
    """What is said to MongoDB, in order; and the time of its last operation with each answer, by command."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, Any]] = []
        self.answered_at: dict[str, Any] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note a command, with its read concern."""
        self.commands.append((event.command_name, event.command.get("readConcern")))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Note the time."""
        self.answered_at[event.command_name] = event.reply.get("operationTime")

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Note it as a command of its own."""
        self.commands.append((f"failed {event.command_name}", event.failure))


async def test_what_was_stored_before_a_stream_is_read_at_once_and_none_of_it_is_missed(
    samples: Samples, database: Database, kept_database: Any, monkeypatch: pytest.MonkeyPatch
):
    """A question for changes first would take half a second, as long as there are none.

    And what the primary has, but not yet the majority, when the stream begins, is not told by it: so it is waited for.
    """
    await FoldStore(database, NOTES).write(Writes(inserts=[samples.document(samples.created())]))
    said = Conversation()
    monkeypatch.setattr(monitoring, "_LISTENERS", monitoring._Listeners([said], *monitoring._LISTENERS[1:]))
    watched = Database(kept_database.url, timeout_s=10)
    changes = MongoChanges(watched, lambda: NOTES, level_of)
    for _ in range(2):
        found: list[Any] = []
        read = asyncio.Event()
        said.commands.clear()

        async def opened(found: list[Any] = found, read: asyncio.Event = read) -> None:
            found += await changes.levels([samples.note])
            read.set()

        following = asyncio.create_task(changes.follow(lambda *_: None, opened))
        async with asyncio.timeout(30):
            await read.wait()
        assert found == [(samples.note, 1)]
        begun = [name for name, _ in said.commands if name not in ("hello", "endSessions", "killCursors")]
        assert begun[:3] == ["aggregate", "ping", "find"]
        concern = dict(said.commands)["find"]
        assert concern["level"] == "majority"
        assert concern["afterClusterTime"] >= said.answered_at["ping"] >= said.answered_at["aggregate"]
        following.cancel()
        await asyncio.wait([following])
    await watched.close()


async def test_streams_take_no_thread_of_the_event_loop(samples: Samples, database: Database):
    """It has few, and names of servers are looked up there: Kafka could not be reached again."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    told: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    following, opened = [], [asyncio.Event() for _ in range(3)]
    for number, event in enumerate(opened):

        async def set_opened(event: asyncio.Event = event) -> None:
            event.set()

        changes = MongoChanges(database, lambda: NOTES, level_of)
        tell = lambda key, _, number=number: told.put_nowait((number, key))  # noqa: E731
        following.append(asyncio.create_task(changes.follow(tell, set_opened)))
    async with asyncio.timeout(30):
        for event in opened:
            await event.wait()
        await FoldStore(database, NOTES).write(Writes(inserts=[samples.document(samples.created())]))
        assert {await told.get() for _ in opened} == {(number, samples.note) for number in range(3)}
        await asyncio.to_thread(lambda: None)
    for task in following:
        task.cancel()
    await asyncio.wait(following)
