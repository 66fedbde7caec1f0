import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from notes_query.errors import StoreUnavailable
from notes_query.reads.served import MAX_CONCURRENT_QUERIES, MAX_KEYS, Collecting
from tests.harness.waiting import eventually


class Notes:
    """Notes that count how often they are asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.versions: dict[str, int] = {}
        self.away = False
        self.hangs = asyncio.Event()
        self.hangs.set()

    async def views(self, note_ids: Collection[str]) -> Mapping[str, Any]:
        self.asked.append(list(note_ids))
        if self.away:
            raise StoreUnavailable("away")
        await self.hangs.wait()
        found = {id_: {"_id": id_, "version": self.versions[id_]} for id_ in note_ids if id_ in self.versions}
        await asyncio.sleep(0)
        return found


async def test_who_asks_while_nobody_else_does_is_asked_for_at_once_and_those_after_it_by_one_query():
    notes = Notes()
    notes.versions = {"a": 1, "b": 2}
    reader = Collecting(notes.views, 5)
    found = await asyncio.gather(*(reader.ask(note) for note in ("b", "a", "b", "a", "none")))
    assert [note and note["version"] for note in found] == [2, 1, 2, 1, None]
    assert notes.asked == [["b"], ["a", "b", "none"]]


async def test_who_asks_while_a_query_is_under_way_gets_a_newer_one():
    notes = Notes()
    notes.versions = {"a": 1}
    reader = Collecting(notes.views, 5)
    first = asyncio.create_task(reader.ask("a"))
    await eventually(lambda: notes.asked)
    notes.versions["a"] = 2
    assert await reader.ask("a") == {"_id": "a", "version": 2}
    assert await first == {"_id": "a", "version": 1}


async def test_no_query_is_for_more_than_it_may():
    notes = Notes()
    reader = Collecting(notes.views, 5)
    await asyncio.gather(*(reader.ask(str(number)) for number in range(MAX_KEYS + 2)))
    assert [len(asked) for asked in notes.asked] == [1, MAX_KEYS, 1]


async def test_everyone_hears_of_a_failure_and_one_who_leaves_takes_nobody_along():
    notes = Notes()
    notes.away = True
    reader = Collecting(notes.views, 5)
    first, leaving, *staying = (asyncio.create_task(reader.ask("a")) for _ in range(4))
    await asyncio.sleep(0)
    leaving.cancel()
    for one in (first, *staying):
        with pytest.raises(StoreUnavailable):
            await one
    notes.away, notes.versions = False, {"a": 1}
    assert await reader.ask("a") is not None


async def begin(notes: Notes, reader: Collecting[Any]) -> list["asyncio.Task[Any]"]:
    """Have as many queries under way as may be; `notes` hang."""
    under_way = []
    for number in range(MAX_CONCURRENT_QUERIES):
        under_way.append(asyncio.create_task(reader.ask(f"under way {number}")))
        await eventually(lambda: len(notes.asked), lambda found: found > number)
    return under_way


async def test_while_the_store_hangs_two_queries_are_under_way_and_everyone_is_told_in_time():
    notes, loop = Notes(), asyncio.get_running_loop()
    notes.hangs.clear()
    reader = Collecting(notes.views, 0.2)
    asked = []
    for number in range(50):
        asked.append(asyncio.create_task(reader.ask(f"{number}")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(notes.asked) == MAX_CONCURRENT_QUERIES
    began = loop.time()
    for one in asked:
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2 s"):
            await one
    assert loop.time() - began < 2 * 0.2
    notes.hangs.set()
    notes.versions = {"a": 1}
    assert await reader.ask("a") == {"_id": "a", "version": 1}


async def test_who_asks_while_as_many_queries_as_may_are_under_way_is_asked_for_after_them():
    notes = Notes()
    notes.hangs.clear()
    notes.versions = {"c": 1}
    reader = Collecting(notes.views, 5)
    asked = []
    for key in ("a", "b", "c", "d"):
        asked.append(asyncio.create_task(reader.ask(key)))
        await eventually(lambda: key not in "ab" or [key] in notes.asked)
    await asyncio.sleep(0)
    assert notes.asked == [["a"], ["b"]]
    notes.hangs.set()
    assert await asyncio.gather(*asked) == [None, None, {"_id": "c", "version": 1}, None]
    assert notes.asked == [["a"], ["b"], ["c", "d"]]


async def test_what_nobody_waits_for_any_more_is_not_asked_for_when_the_store_is_back():
    notes = Notes()
    notes.hangs.clear()
    reader = Collecting(notes.views, 0.05, 20)
    under_way = await begin(notes, reader)
    asked = [asyncio.create_task(reader.ask(f"{number % 200}")) for number in range(300)]
    left = asyncio.create_task(reader.ask("left"))
    await asyncio.sleep(0)
    assert len(reader._asked) == 201
    left.cancel()
    await asyncio.gather(*under_way, *asked, left, return_exceptions=True)
    assert not reader._asked
    notes.hangs.set()
    notes.asked.clear()
    notes.versions = {"a": 1}
    assert await reader.ask("a") == {"_id": "a", "version": 1}
    assert notes.asked == [["a"]]


async def test_who_leaves_takes_nobody_along_who_waits_for_the_same():
    notes = Notes()
    notes.hangs.clear()
    notes.versions = {"a": 1}
    reader = Collecting(notes.views, 5)
    under_way = await begin(notes, reader)
    leaving, staying = asyncio.create_task(reader.ask("a")), asyncio.create_task(reader.ask("a"))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    notes.hangs.set()
    assert await staying == {"_id": "a", "version": 1}
    await asyncio.gather(*under_way)
