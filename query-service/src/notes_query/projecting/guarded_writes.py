"""Writes of single documents that change nothing where the stored document is not the one they are made for."""

from collections.abc import Mapping
from typing import Any

from pymongo import UpdateOne

from notes_query.projecting.fold_batch import Mark
from notes_query.projections.read_model import Folded


def guarded_replace(document: Mapping[str, Any], before: Folded | None) -> UpdateOne:
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


def guarded_mark(mark: Mark) -> UpdateOne:
    """Return an update that finds nothing if the document has moved on: whoever moved it has marked it."""
    return UpdateOne({"_id": mark.note_id, "version": mark.version}, {"$set": {"parked": mark.parked}})
