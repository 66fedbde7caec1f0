"""The part that all folded read models have in common, so that a read model's file says only what is its own.

The ids of the events that made a document's versions tell a repeat from an event of another history. Packed, 16 bytes a
version, zeros where an id is not known. A document holds those of its last versions, from the beginning of a block of
versions on; what it sheds is kept beside the documents, block by block.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from notes_contracts import EVENTS
from notes_query.projections.read_model import Evolve, RecordedEvent

BLOCK: Final = 64
_WIDTH: Final = 16
UNKNOWN: Final = bytes(_WIDTH)
_BEGINNING: Final = MappingProxyType[str, Any](
    {"version": 0, "event_id": None, "ids": b"", "snapshot": 0, "parked": False}
)
Apply = Callable[[Any, Any, datetime], None]
"""(document, the event's data, when it occurred): sets fields of the document. A list or dict in it is replaced whole,
never changed in place: the document before shares it."""


def packed(event_id: str) -> bytes:
    """Return the 16 bytes of an id."""
    return bytes.fromhex(event_id.replace("-", ""))


def block_of(version: int) -> int:
    """Return the number of the block that a version belongs to, from 0."""
    return (version - 1) // BLOCK


def ids_of(document: Mapping[str, Any]) -> bytes:
    """Return what a document holds; of one that an earlier release wrote, its last event's id alone."""
    found: bytes | None = document.get("ids")
    if found is not None:
        return found
    last = document["event_id"]
    return _padded(document["version"], UNKNOWN if last is None else packed(last))


def with_next(ids: bytes, at: int, version: int, applied: bytes) -> bytes:
    """Return the ids of a document that was at version `at`, after `version` was applied.

    Of a jump into another block nothing before that block is held: `blocks_of` has to be kept before it.
    """
    if version == at + 1:
        return ids + applied
    if at and block_of(version) == block_of(at):
        return ids + UNKNOWN * (version - at - 1) + applied
    return _padded(version, applied)


def id_at(ids: bytes, at: int, version: int) -> bytes | None:
    """Return the id that made `version` of a document at version `at`; None if the document holds it no more."""
    place = (version - at) * _WIDTH + len(ids) - _WIDTH
    return ids[place : place + _WIDTH] if place >= 0 else None


def id_in(block: bytes, version: int) -> bytes:
    """Return the id of a version in its block."""
    place = (version - 1) % BLOCK * _WIDTH
    return block[place : place + _WIDTH] or UNKNOWN


def blocks_of(ids: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Give number and ids of all blocks that a document at version `at` holds, the last one as far as it goes."""
    first = (at - len(ids) // _WIDTH) // BLOCK
    for number, start in enumerate(range(0, len(ids), BLOCK * _WIDTH), first):
        yield number, ids[start : start + BLOCK * _WIDTH]


def shed(ids: bytes, at: int) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Return what a document at version `at` goes on holding, and the blocks that it sheds: all before the last two."""
    if len(ids) <= BLOCK * _WIDTH:
        return ids, []  # as nearly all: they cannot reach into a third block
    blocks = list(blocks_of(ids, at))
    if len(blocks) <= 2:
        return ids, []
    return b"".join(part for _, part in blocks[-2:]), blocks[:-2]


def same_where_known(one: bytes | None, other: bytes | None) -> bool:
    """Say whether two documents of one version hold the same ids, as far as both know them."""
    if not one or not other:
        return True
    length = min(len(one), len(other))
    pairs = zip(_cut(one[-length:]), _cut(other[-length:]), strict=True)
    return all(left == right or UNKNOWN in (left, right) for left, right in pairs)


def _cut(ids: bytes) -> Iterator[bytes]:
    return (ids[start : start + _WIDTH] for start in range(0, len(ids), _WIDTH))


def _padded(version: int, applied: bytes) -> bytes:
    return UNKNOWN * ((version - 1) % BLOCK) + applied


def folding(blank: Mapping[str, Any], apply: Mapping[str, Apply], *, every: bool = False) -> Evolve:
    """Return the evolve of a read model whose new document has the fields of `blank`, and `apply` by event type.

    An event of a type that is not in `apply`, or that this service does not know, advances the version and changes
    nothing else. Raises ImportError for a type that no event has, and with `every` for one that is left out.
    """
    if wrong := set(apply) ^ set(EVENTS) if every else set(apply) - set(EVENTS):
        raise ImportError(f"events without a function, or the other way round: {', '.join(sorted(wrong))}")

    # A plain dict, copied for each note: to merge both proxies anew takes a fifth of the fold of a create.
    beginning = {"_id": "", **_BEGINNING, **blank}

    def evolve(document: Any, event: RecordedEvent) -> Any:
        if document is None:
            after: Any = beginning.copy()
            after["_id"] = event.note_id
        else:
            after = document.copy()
        if event.data is not None and event.occurred_at is not None and (change := apply.get(event.type)) is not None:
            change(after, event.data, event.occurred_at)
        # A snapshot stands for the event of its version, whose id it does not tell.
        id_ = None if event.stands_in else event.id
        after["ids"] = with_next(
            ids_of(after), after["version"], event.version, UNKNOWN if id_ is None else packed(id_)
        )
        after["event_id"] = id_
        after["version"] = event.version
        if event.is_snapshot:
            after["snapshot"] = event.version
        return after

    return evolve
