import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from notes_query.errors import StoreUnavailable
from notes_query.reads.read_concurrently import AT_ONCE, ReadConcurrently


class Notes:
    """Notes that count how often they are asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.versions: dict[str, int] = {}
        self.away = False

    async def views(self, note_ids: Collection[str]) -> Mapping[str, Any]:
        self.asked.append(list(note_ids))
        if self.away:
            raise StoreUnavailable("away")
        found = {id_: {"_id": id_, "version": self.versions[id_]} for id_ in note_ids if id_ in self.versions}
        await asyncio.sleep(0)
        return found

    async def with_waiting(self, note_ids: Collection[str]) -> Mapping[str, bool]:
        return {note: True for note in note_ids if note == "gap"}


async def test_those_who_ask_in_one_moment_are_answered_by_one_query():
    notes = Notes()
    notes.versions = {"a": 1, "b": 2}
    reader = ReadConcurrently(notes)
    found = await asyncio.gather(*(reader.view(note) for note in ("a", "b", "a", "none")))
    assert [note and note["version"] for note in found] == [1, 2, 1, None]
    assert notes.asked == [["a", "b", "none"]]
    assert [await reader.has_waiting(note) for note in ("gap", "a")] == [True, False]


async def test_who_asks_while_a_query_is_under_way_gets_a_newer_one():
    notes = Notes()
    notes.versions = {"a": 1}
    reader = ReadConcurrently(notes)
    first = asyncio.create_task(reader.view("a"))
    while not notes.asked:
        await asyncio.sleep(0)
    notes.versions["a"] = 2
    assert await reader.view("a") == {"_id": "a", "version": 2}
    assert await first == {"_id": "a", "version": 1}


async def test_no_query_is_for_more_than_it_may():
    notes = Notes()
    reader = ReadConcurrently(notes)
    await asyncio.gather(*(reader.view(str(number)) for number in range(AT_ONCE + 1)))
    assert [len(asked) for asked in notes.asked] == [AT_ONCE, 1]


async def test_everyone_hears_of_a_failure_and_one_who_leaves_takes_nobody_along():
    notes = Notes()
    notes.away = True
    reader = ReadConcurrently(notes)
    leaving, staying = (asyncio.create_task(reader.view("a")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(StoreUnavailable):
        await staying
    notes.away, notes.versions = False, {"a": 1}
    assert await reader.view("a") is not None
