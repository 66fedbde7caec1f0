import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from notes_query.errors import StoreUnavailable
from notes_query.reads.served import AT_ONCE, Collecting


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


async def test_who_asks_while_nobody_else_does_is_asked_for_at_once_and_those_after_it_by_one_query():
    notes = Notes()
    notes.versions = {"a": 1, "b": 2}
    reader = Collecting(notes.views)
    found = await asyncio.gather(*(reader.ask(note) for note in ("b", "a", "b", "a", "none")))
    assert [note and note["version"] for note in found] == [2, 1, 2, 1, None]
    assert notes.asked == [["b"], ["a", "b", "none"]]


async def test_who_asks_while_a_query_is_under_way_gets_a_newer_one():
    notes = Notes()
    notes.versions = {"a": 1}
    reader = Collecting(notes.views)
    first = asyncio.create_task(reader.ask("a"))
    while not notes.asked:
        await asyncio.sleep(0)
    notes.versions["a"] = 2
    assert await reader.ask("a") == {"_id": "a", "version": 2}
    assert await first == {"_id": "a", "version": 1}


async def test_no_query_is_for_more_than_it_may():
    notes = Notes()
    reader = Collecting(notes.views)
    await asyncio.gather(*(reader.ask(str(number)) for number in range(AT_ONCE + 2)))
    assert [len(asked) for asked in notes.asked] == [1, AT_ONCE, 1]


async def test_everyone_hears_of_a_failure_and_one_who_leaves_takes_nobody_along():
    notes = Notes()
    notes.away = True
    reader = Collecting(notes.views)
    first, leaving, *staying = (asyncio.create_task(reader.ask("a")) for _ in range(4))
    await asyncio.sleep(0)
    leaving.cancel()
    for one in (first, *staying):
        with pytest.raises(StoreUnavailable):
            await one
    notes.away, notes.versions = False, {"a": 1}
    assert await reader.ask("a") is not None
