"""What all folded read models share, so that the file of a read model has only what is its own.

The ids of the events that made a document's versions tell a repeat from an event of another history. They are packed
into 16 bytes a version, zeros where an id is not known. A document holds the ids of its last versions, from the
beginning of a block of versions on. The ids that it sheds are kept beside the documents, block by block.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from notes_contracts import EVENTS
from notes_query.projections.read_model import Evolve, RecordedEvent

BLOCK: Final = 64
"""Versions of a block."""
_WIDTH: Final = 16
UNKNOWN: Final = bytes(_WIDTH)
_BEGINNING: Final = MappingProxyType[str, Any](
    {"version": 0, "event_id": None, "ids": b"", "snapshot": 0, "parked": False}
)
Apply = Callable[[Any, Any, datetime], None]
"""(document, the event's data, when it occurred): sets fields of the document. A list or dict in it has to be replaced,
not changed: the document before the event shares it."""


def packed(event_id: str) -> bytes:
    """Return the 16 bytes of an id."""
    return bytes.fromhex(event_id.replace("-", ""))


def block_of(version: int) -> int:
    """Return the number of the block that a version belongs to, from 0."""
    return (version - 1) // BLOCK


def ids_of(document: Mapping[str, Any]) -> bytes:
    """Return the ids that a document holds. A document of an earlier release has only that of its last event."""
    ids: bytes | None = document.get("ids")
    if ids is not None:
        return ids
    last = document["event_id"]
    return _padded(document["version"], UNKNOWN if last is None else packed(last))


def with_next(ids: bytes, before: int, version: int, applied: bytes) -> bytes:
    """Return the ids of a document that had version `before`, once the event `applied` made it `version`.

    After a jump into another block nothing before that block is held: `blocks_of` has to be kept before it.
    """
    if version == before + 1:
        return ids + applied
    if before and block_of(version) == block_of(before):
        return ids + UNKNOWN * (version - before - 1) + applied
    return _padded(version, applied)


def id_at(ids: bytes, last: int, version: int) -> bytes | None:
    """Return the id of a version out of those of a document with version `last`; None if it is not held any more."""
    start = (version - last) * _WIDTH + len(ids) - _WIDTH
    return ids[start : start + _WIDTH] if start >= 0 else None


def id_in(block: bytes, version: int) -> bytes:
    """Return the id of a version in its block."""
    start = (version - 1) % BLOCK * _WIDTH
    return block[start : start + _WIDTH] or UNKNOWN


def blocks_of(ids: bytes, last: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and ids of the blocks that a document with version `last` holds; the last one may be incomplete."""
    first = (last - len(ids) // _WIDTH) // BLOCK
    for number, start in enumerate(range(0, len(ids), BLOCK * _WIDTH), first):
        yield number, ids[start : start + BLOCK * _WIDTH]


def blocks_left(ids: bytes, last: int, version: int, waited: Mapping[int, str]) -> Iterator[tuple[int, bytes]]:
    """Yield number and ids of the blocks that a document with version `last` leaves when it jumps to `version`.

    They are those that it holds, and those of events that have `waited`, by version.
    """
    blocks = {number: bytearray(block) for number, block in blocks_of(ids, last)}
    for at, id_ in waited.items():
        block = blocks.setdefault(block_of(at), bytearray())
        start = (at - 1) % BLOCK * _WIDTH
        block.extend(bytes(max(0, start - len(block))))
        block[start : start + _WIDTH] = packed(id_)
    yield from ((number, bytes(block)) for number, block in blocks.items() if number < block_of(version))


def filled(ids: bytes, last: int, waited: Mapping[int, str]) -> bytes:
    """Return the ids of a document with version `last` and of events that have `waited`, as far as it holds them."""
    known = bytearray(ids)
    for at, id_ in waited.items():
        start = (at - last) * _WIDTH + len(ids) - _WIDTH
        if start >= 0:
            known[start : start + _WIDTH] = packed(id_)
    return bytes(known)


def shed(ids: bytes, last: int) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Return the ids that a document with version `last` keeps, and the blocks that it sheds: all but its last two."""
    if len(ids) <= BLOCK * _WIDTH:
        return ids, []  # nearly all documents: so few ids cannot reach into a third block
    blocks = list(blocks_of(ids, last))
    if len(blocks) <= 2:
        return ids, []
    return b"".join(part for _, part in blocks[-2:]), blocks[:-2]


def same_where_known(left: bytes | None, right: bytes | None) -> bool:
    """Return whether two documents of the same version hold the same ids, as far as both know them."""
    if not left or not right:
        return True
    length = min(len(left), len(right))
    pairs = zip(_cut(left[-length:]), _cut(right[-length:]), strict=True)
    return all(id_ == other or UNKNOWN in (id_, other) for id_, other in pairs)


def _cut(ids: bytes) -> Iterator[bytes]:
    return (ids[start : start + _WIDTH] for start in range(0, len(ids), _WIDTH))


def _padded(version: int, applied: bytes) -> bytes:
    return UNKNOWN * ((version - 1) % BLOCK) + applied


def folding(blank: Mapping[str, Any], apply: Mapping[str, Apply], *, every: bool = False) -> Evolve:
    """Return the evolve of a read model. A new document has the fields of `blank`; `apply` has a function by type.

    An event of a type that is not in `apply`, or that this service does not know, advances the version and changes
    nothing else. Raises ImportError for a type that no event has, and with `every` for a type that is left out.
    """
    if wrong := set(apply) ^ set(EVENTS) if every else set(apply) - set(EVENTS):
        raise ImportError(f"events without a function, or the other way round: {', '.join(sorted(wrong))}")

    # A plain dict is copied for each note. To merge both mappings each time would take a fifth of folding a create.
    beginning = {"_id": "", **_BEGINNING, **blank}

    def evolve(document: Any, event: RecordedEvent) -> Any:
        if document is None:
            after: Any = beginning.copy()
            after["_id"] = event.note_id
        else:
            after = document.copy()
        if event.data is not None and event.occurred_at is not None and (change := apply.get(event.type)) is not None:
            change(after, event.data, event.occurred_at)
        # A snapshot stands in for the event of its version. That event's id is not known.
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
