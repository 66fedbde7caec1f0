"""Notes come in, change and go while somebody reads a list page by page."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from query_support.fixed_serving import FixedServing
from query_support.fixtures import Database, Samples

from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_store import FoldStore
from notes_query.reads.list_notes import ListNotes, ListQuery
from notes_query.reads.share import Shares

NOTES = 120


@pytest.mark.parametrize(
    "chosen", [{}, {"tag": "x"}, {"author": "ann"}, {"tag": "x", "author": "ann"}, {"status": "all"}]
)
async def test_what_was_visible_at_page_one_is_neither_skipped_nor_repeated(
    samples: Samples, database: Database, chosen: Any
):
    store = FoldStore(database, "notes_v2_1")
    list_notes = ListNotes(Shares(database, FixedServing({"notes": "notes_v2_1"}), "lists", 2, 5, waiting=10))

    def created(name: str, number: int, version: int = 1) -> Any:
        message = samples.created(samples.id(name), author="ann", tags=("x",), version=version)
        # Several have the same time, and the new ones take their places among the old.
        return samples.document(message) | {"created_at": samples.start + timedelta(milliseconds=number // 4)}

    before = [created(f"old {number}", number) for number in range(NOTES)]
    await store.write(Writes(inserts=before))
    done, stored = asyncio.Event(), asyncio.Event()

    async def insert() -> None:
        number = 0
        while not done.is_set():
            new = [created(f"new {number + extra}", (number + extra) * 7 % NOTES) for extra in range(5)]
            changed = created(f"old {number % NOTES}", number % NOTES, version=2 + number // NOTES)
            await store.write(Writes(inserts=new, replaces=[changed]))
            number += 5
            stored.set()

    inserting = asyncio.create_task(insert())
    seen: list[str] = []
    cursor: str | None = None
    while True:
        notes, cursor = await list_notes(ListQuery(limit=7, cursor=cursor, **chosen))
        seen += [note["_id"] for note in notes]
        if cursor is None:
            break
        stored.clear()
        await stored.wait()
    done.set()
    await inserting

    assert len(seen) == len(set(seen))
    assert set(seen) > {note["_id"] for note in before}
