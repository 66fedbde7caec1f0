"""Documents of a folded read model and the events that wait for a missing version, as the projector writes them."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pymongo import DeleteMany, DeleteOne, InsertOne, UpdateOne

from notes_query.mongo.database import Database
from notes_query.mongo.driver import bulk_write, driver_errors
from notes_query.projecting.fold_batch import Mark, Writes
from notes_query.projecting.pending import Parked, Pending, stops_of
from notes_query.projecting.read_model_store import (
    OF_FORKS,
    ReadModelStore,
    beside_note,
    next_notes,
    places,
    places_by_note,
)
from notes_query.projecting.recent_documents import RecentDocuments
from notes_query.projecting.stored_record import bytes_in, record_fields, stored_record
from notes_query.projections.read_model import Folded, RecordedEvent, entry_key

_CONTENT: Final = {"key": "", "value": "", "headers": ""}
_NOTES: Final = 20
"""Notes whose waiting events are read at once."""
_READ_AT_ONCE: Final = 8
"""Whole events in one answer of the server: of 2 MiB each, hardly ever of more."""


class FoldStore(ReadModelStore):
    """The store of a folded read model."""

    def __init__(self, database: Database, collection: str) -> None:
        super().__init__(database, collection)
        self._recent = RecentDocuments()

    def forget(self) -> None:
        """Know nothing of what is stored any more: other notes are folded here now."""
        super().forget()
        self._recent = RecentDocuments()

    async def load(
        self, note_ids: Collection[str], events: Sequence[RecordedEvent], unseen: Collection[str] = ()
    ) -> tuple[dict[str, Folded], dict[str, Pending]]:
        """Return the documents of these notes, and what is kept of them beside, both by id, where there is any.

        `events`: those that were received. `unseen`: those of the notes whose documents are not looked for.
        What this store knows is not read again; without events, everything is.
        """
        wanted = [note_id for note_id in note_ids if note_id not in unseen]
        recent = self._recent.of(wanted) if events else {}
        looked_for = [note_id for note_id in wanted if note_id not in recent]
        with driver_errors():
            if events and self._has_nothing_beside(note_ids):
                documents = [*recent.values(), *await self._find(looked_for)]
                if not any(document["parked"] for document in documents):
                    return {document["_id"]: document for document in documents}, {}
                beside = await self._beside(note_ids)
            else:
                found, beside = await asyncio.gather(self._find(looked_for), self._beside(note_ids))
                documents = [*recent.values(), *found]
            named = await self._ids_of_waiting({item["_id"] for item in beside if item["events"]}, events)
        pending = {
            item["_id"]: Pending(
                item["events"], item["first"] or 0, item["last"] or 0, named.get(item["_id"], {}), places(item["forks"])
            )
            for item in beside
        }
        return {document["_id"]: document for document in documents}, pending

    async def _ids_of_waiting(
        self, note_ids: Collection[str], events: Sequence[RecordedEvent]
    ) -> dict[str, dict[int, str]]:
        """Return the ids of the events that wait with the versions of these, of these notes."""
        wanted = [entry_key(event.note_id, event.version) for event in events if event.note_id in note_ids]
        found: dict[str, dict[int, str]] = {}
        if wanted:
            fields = {"_id": 0, "note_id": 1, "version": 1, "event_id": 1}
            async for item in self._parked.find({"_id": {"$in": wanted}}, fields):
                found.setdefault(item["note_id"], {})[item["version"]] = item["event_id"]
        return found

    async def _find(self, ids: Sequence[str]) -> list[Folded]:
        if not ids:
            return []
        async with self._database.session() as session:
            documents = self._documents.find({"_id": {"$in": ids}}, batch_size=len(ids) + 1, session=session)
            found: list[Folded] = await documents.to_list(None)
        return found

    async def blocks(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """Return the ids of older versions, by note and number of the block; what is not known is left out."""
        ids = {_block_id(note_id, number): (note_id, number) for note_id, number in wanted}
        with driver_errors():
            return {
                ids[item["_id"]]: item["ids"]
                async for item in self._parked.find({"_id": {"$in": list(ids)}}, {"ids": 1})
            }

    async def waiting(self, after: Mapping[str, int], max_bytes: int, max_events: int) -> list[Parked]:
        """Return waiting events that come right after these versions of notes, each note's in order, without a hole.

        At most so many, and no more once they have so many bytes together: of some of the notes, at least one event
        if any note has one. First the versions, which are small, then whole events, as many as fit.
        """
        nexts = {entry_key(note_id, at + 1): note_id for note_id, at in after.items()}
        with driver_errors():
            first = await self._parked.find({"_id": {"$in": list(nexts)}}, {"_id": 1}, limit=_NOTES).to_list(None)
        found: list[Parked] = []
        for note_id in (nexts[item["_id"]] for item in first):
            run = {"kind": "gap", "note_id": note_id, "version": {"$gt": after[note_id]}}
            with driver_errors():
                async for item in self._parked.find(
                    run, sort=[("version", 1)], limit=max_events - len(found), batch_size=_READ_AT_ONCE
                ):
                    if item["version"] != after[note_id] + 1 + sum(one.note_id == note_id for one in found):
                        break
                    found.append(Parked(note_id, item["version"], stored_record(item)))
                    max_bytes -= bytes_in(found[-1].record)
                    if max_bytes <= 0:
                        return found
            if len(found) >= max_events:
                break
        return found

    async def write(self, writes: Writes) -> set[str]:
        """Write what a fold has found, in an order that loses nothing if it stops half way. Repeats are harmless.

        Return the notes to fold again: those that were to be inserted and have a document, of which nothing was
        changed, and those whose document may not have been the one any more that was folded.

        What is kept beside is there before documents change, and waiting events go after their documents are written,
        so that stopping between any two of these writes loses nothing: the offsets are not committed, and the batch
        comes again.
        """
        async with self._database.session() as session:
            await self._park(writes, session)
            taken = await self._store(writes, session)
            await self._unpark(writes, taken, session)
        return taken

    async def _park(self, writes: Writes, session: Any) -> None:
        kept = [_parked_event(event) for event in writes.parks]
        if writes.forks:
            kept += await self._fork_documents(writes.forks)
        kept += [{"_id": _block_id(note_id, number), "ids": ids} for note_id, number, ids in writes.blocks]
        if kept:
            await self._keep_beside(kept, session)

    async def _store(self, writes: Writes, session: Any) -> set[str]:
        operations: list[Any] = [InsertOne(document) for document in writes.inserts]
        operations += [_guarded_replace(document, writes.before.get(document["_id"])) for document in writes.replaces]
        operations += map(_guarded_mark, writes.marks)
        if not operations:
            return set()
        done = await bulk_write(self._documents, operations, session)
        again = {writes.inserts[place]["_id"] for place in done.taken}
        written = [document for document in writes.inserts if document["_id"] not in again]
        if done.changed == len(writes.replaces) + len(writes.marks):
            written += writes.replaces
        else:
            again |= writes.before.keys()  # it is not told which of them were not the stored ones
        self._recent.forget(
            [*again, *(one["_id"] for one in writes.replaces), *(mark.note_id for mark in writes.marks)]
        )
        self._recent.keep({document["_id"]: document for document in written if not document["parked"]})
        return again

    async def _unpark(self, writes: Writes, taken: Collection[str], session: Any) -> None:
        operations: list[Any] = [
            DeleteMany({"kind": "gap", "note_id": note_id, "version": {"$lte": version}})
            for note_id, version in writes.unparks
            if note_id not in taken
        ]
        operations += [
            DeleteOne({"_id": entry_key(note_id, version)})
            for note_id, version in writes.evicts
            if note_id not in taken
        ]
        if operations:
            await bulk_write(self._parked, operations, session)

    async def healable(self, after: str, limit: int) -> tuple[list[str], str]:
        """Look at the next `limit` notes with waiting events, by id; return those to fold again.

        These are those whose next version waits, and those whose documents do not say yet that something does. Also
        return the id to go on after: an empty one where these were the last.
        What forks of an earlier release said is deleted: it would outlive its note.
        """
        with driver_errors():
            if not after:
                await self._parked.update_many({"kind": "fork", "value": {"$exists": True}}, {"$unset": _CONTENT})
            firsts = {
                item["_id"]: item["first"] async for item in self._parked.aggregate(next_notes("gap", after, limit))
            }
            fields = {"version": 1, "snapshot": 1, "parked": 1}
            found = await self._documents.find({"_id": {"$in": list(firsts)}}, fields).to_list(None)
            levels = {item["_id"]: item for item in found}
            ready = [one for one, first in firsts.items() if first <= levels.get(one, {}).get("version", 0) + 1]
            unmarked = [item["_id"] for item in found if not item["parked"]]
            forks = places_by_note(await self._parked.find(OF_FORKS | {"note_id": {"$in": ready}}).to_list(None))
        stopped = stops_of(forks, {note_id: item.get("snapshot", 0) for note_id, item in levels.items()})
        healable = {*(one for one in ready if one not in stopped), *unmarked}
        return sorted(healable), max(firsts) if len(firsts) == limit else ""


def _parked_event(event: RecordedEvent) -> dict[str, Any]:
    """Return the document of a waiting event: one for each version, so that a repeat is kept once."""
    return {"_id": entry_key(event.note_id, event.version), **beside_note(event, "gap"), **record_fields(event.record)}


def _block_id(note_id: str, number: int) -> str:
    return f"{note_id}:ids:{number}"


def _guarded_replace(document: Mapping[str, Any], before: Folded | None) -> UpdateOne:
    """Return a replace that changes nothing if the stored document is as new, or newer.

    With `before`, from which it was folded, it changes nothing unless that is the stored one. The guard is not in the
    filter: one by `_id` alone is the only one that MongoDB does not plan for each document anew, which is half of the
    cost of a replace.
    """
    guard: dict[str, Any] = {"$lt": ["$version", document["version"]]}
    if before is not None:
        same = [{"$eq": [f"${name}", {"$literal": before[name]}]} for name in ("version", "event_id", "parked")]
        guard = {"$and": same}
    return UpdateOne({"_id": document["_id"]}, [{"$replaceWith": {"$cond": [guard, {"$literal": document}, "$$ROOT"]}}])


def _guarded_mark(mark: Mark) -> UpdateOne:
    """Return an update that finds nothing if the document has moved on: whoever moved it has marked it."""
    return UpdateOne({"_id": mark.note_id, "version": mark.version}, {"$set": {"parked": mark.parked}})
