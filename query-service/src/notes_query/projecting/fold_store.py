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
    FORK_FIELDS,
    OF_FORKS,
    ReadModelStore,
    beside_fields,
    next_notes,
    places,
    places_by_note,
)
from notes_query.projecting.recent_documents import RecentDocuments
from notes_query.projecting.stored_record import bytes_in, record_fields, stored_record
from notes_query.projections.read_model import Folded, RecordedEvent, entry_key

_CONTENT: Final = {"key": "", "value": "", "headers": ""}
_NOTES: Final = 20
"""Notes whose waiting events are read for one fold."""
_READ_AT_ONCE: Final = 8
"""Events in one answer of the server; each has at most 2 MiB."""


class FoldStore(ReadModelStore):
    """The projector's store of a folded read model."""

    def __init__(self, database: Database, collection: str) -> None:
        super().__init__(database, collection)
        self._recent = RecentDocuments()

    def forget(self) -> None:
        """Forget what is known of the stored documents, because the projector's partitions have changed."""
        super().forget()
        self._recent = RecentDocuments()

    async def load(
        self, note_ids: Collection[str], events: Sequence[RecordedEvent], unseen: Collection[str] = ()
    ) -> tuple[dict[str, Folded], dict[str, Pending]]:
        """Return the documents of these notes and what is kept beside them, both by note id, where there is any.

        `events`: the received ones. `unseen`: notes whose documents are not looked for. What this store knows is not
        read again, unless there are no events.
        """
        wanted = [note_id for note_id in note_ids if note_id not in unseen]
        recent = self._recent.of(wanted) if events else {}
        if events and self._has_nothing_beside(note_ids):
            documents = await self._documents_of(wanted, recent)
            if not any(document["parked"] for document in documents.values()):
                return documents, {}
            beside = await self._beside(note_ids)
        else:
            documents, beside = await asyncio.gather(self._documents_of(wanted, recent), self._beside(note_ids))
        return documents, await self._pending_of(beside, events)

    async def _documents_of(self, note_ids: Sequence[str], recent: Mapping[str, Folded]) -> dict[str, Folded]:
        """Return the documents of these notes by id; those that are not `recent` are read."""
        ids = [note_id for note_id in note_ids if note_id not in recent]
        documents = dict(recent)
        if ids:
            with driver_errors():
                async with self._database.session() as session:
                    cursor = self._documents.find({"_id": {"$in": ids}}, batch_size=len(ids) + 1, session=session)
                    documents.update((document["_id"], document) for document in await cursor.to_list(None))
        return documents

    async def _pending_of(self, beside: Sequence[Any], events: Sequence[RecordedEvent]) -> dict[str, Pending]:
        """Return what `_beside` has found, by note."""
        event_ids = await self._ids_of_waiting({item["_id"] for item in beside if item["events"]}, events)
        pending = {}
        for item in beside:
            first, last = item["first"] or 0, item["last"] or 0
            ids = event_ids.get(item["_id"], {})
            pending[item["_id"]] = Pending(item["events"], first, last, ids, places(item["forks"]))
        return pending

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

        At least one is returned if any note has one, at most `max_events`, and no more once they have `max_bytes`
        together.
        """
        nexts = {entry_key(note_id, version + 1): note_id for note_id, version in after.items()}
        with driver_errors():
            ready = await self._parked.find({"_id": {"$in": list(nexts)}}, {"_id": 1}, limit=_NOTES).to_list(None)
        found: list[Parked] = []
        for item in ready:
            note_id = nexts[item["_id"]]
            run = await self._waiting_of(note_id, after[note_id], max_bytes, max_events - len(found))
            found += run
            max_bytes -= sum(bytes_in(parked.record) for parked in run)
            if max_bytes <= 0 or len(found) >= max_events:
                break
        return found

    async def _waiting_of(self, note_id: str, version: int, max_bytes: int, max_events: int) -> list[Parked]:
        """Return a note's waiting events right after a version, up to a hole or a limit."""
        found: list[Parked] = []
        behind = {"kind": "gap", "note_id": note_id, "version": {"$gt": version}}
        with driver_errors():
            cursor = self._parked.find(behind, sort=[("version", 1)], limit=max_events, batch_size=_READ_AT_ONCE)
            async for item in cursor:
                version += 1
                if item["version"] != version:
                    break
                found.append(Parked(note_id, version, stored_record(item)))
                max_bytes -= bytes_in(found[-1].record)
                if max_bytes <= 0:
                    break
        return found

    async def write(self, writes: Writes) -> set[str]:
        """Write what a fold has found. Return the notes to fold again, because another process has written them.

        These are the notes that were to be inserted and have a document, and those whose document may not be the one
        that was folded. Nothing of them was changed.

        What is kept beside is written before the documents, and waiting events are deleted after them. So nothing is
        lost if this stops between two writes: the offsets are not committed, the batch comes again, and repeats are
        harmless.
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
        again = {writes.inserts[index]["_id"] for index in done.taken}
        written = [document for document in writes.inserts if document["_id"] not in again]
        if done.changed == len(writes.replaces) + len(writes.marks):
            written += writes.replaces
        else:
            again |= writes.before.keys()  # MongoDB does not say which replaces have changed nothing
        replaced = [document["_id"] for document in writes.replaces]
        self._recent.forget([*again, *replaced, *(mark.note_id for mark in writes.marks)])
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
        """Return which of the next `limit` notes with waiting events to fold again, and the id to go on after.

        Notes come by id; the id is empty behind the last one. To be folded again are notes whose next version waits,
        and notes whose documents do not say yet that something waits. At the start the content of forks, which an
        earlier release kept, is deleted: it would outlive its note.
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
            ready = [id_ for id_, first in firsts.items() if first <= levels.get(id_, {}).get("version", 0) + 1]
            unmarked = [item["_id"] for item in found if not item["parked"]]
            of_ready = OF_FORKS | {"note_id": {"$in": ready}}
            forks = places_by_note(await self._parked.find(of_ready, FORK_FIELDS).to_list(None))
        stopped = stops_of(forks, {note_id: item.get("snapshot", 0) for note_id, item in levels.items()})
        healable = {*(note_id for note_id in ready if note_id not in stopped), *unmarked}
        return sorted(healable), max(firsts) if len(firsts) == limit else ""


def _parked_event(event: RecordedEvent) -> dict[str, Any]:
    """Return the document of a waiting event. There is one for each version, so a repeat is kept once."""
    id_ = entry_key(event.note_id, event.version)
    return {"_id": id_, **beside_fields(event, "gap"), **record_fields(event.record)}


def _block_id(note_id: str, number: int) -> str:
    return f"{note_id}:ids:{number}"


def _guarded_replace(document: Mapping[str, Any], before: Folded | None) -> UpdateOne:
    """Return a replace that changes nothing if the stored document is as new, or newer.

    With `before`, from which the document was folded, it changes nothing unless `before` is the stored one. The guard
    is not in the filter: MongoDB plans every filter but `_id` alone anew for each document, which is half of the cost
    of a replace.
    """
    guard: dict[str, Any] = {"$lt": ["$version", document["version"]]}
    if before is not None:
        same = [{"$eq": [f"${name}", {"$literal": before[name]}]} for name in ("version", "event_id", "parked")]
        guard = {"$and": same}
    return UpdateOne({"_id": document["_id"]}, [{"$replaceWith": {"$cond": [guard, {"$literal": document}, "$$ROOT"]}}])


def _guarded_mark(mark: Mark) -> UpdateOne:
    """Return an update that changes nothing if the document has another version: whoever stored it has marked it."""
    return UpdateOne({"_id": mark.note_id, "version": mark.version}, {"$set": {"parked": mark.parked}})
