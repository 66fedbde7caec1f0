"""Opaque cursors: a version byte, a digest of the list they belong to, and where the page ended."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import isfinite
from struct import Struct
from struct import error as StructError  # noqa: N812 - the module's name for it is not a class name
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json

from notes_chassis.http.queries import cursor_of, packed_in
from notes_query.errors import InvalidCursor

_VERSION: Final = 2
_SCOPE_BYTES: Final = 6
_BY_CREATION: Final = Struct(f">B{_SCOPE_BYTES}sq16s")
_BY_RANK: Final = Struct(f">B{_SCOPE_BYTES}sd16s")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_NOT_OURS: Final = "the cursor is not one that this service has given out"


class PageEnd(NamedTuple):
    """Where a page of a list ended."""

    created_at: datetime
    note_id: str


class Rank(NamedTuple):
    """Where a page of a search ended."""

    score: float
    note_id: str


def scope_of(*chosen: str | Sequence[str] | None) -> bytes:
    """Return a digest of what tells one list from another: its name and its filters."""
    return blake2b(to_json(chosen), digest_size=_SCOPE_BYTES).digest()


def encode(end: PageEnd | Rank, scope: bytes) -> str:
    """Return the cursor of the page behind `end` in the list or search of that scope."""
    if isinstance(end, Rank):
        return cursor_of(_BY_RANK.pack(_VERSION, scope, end.score, UUID(end.note_id).bytes))
    milliseconds = (end.created_at - _EPOCH) // _MILLISECOND
    return cursor_of(_BY_CREATION.pack(_VERSION, scope, milliseconds, UUID(end.note_id).bytes))


def decode(cursor: str, scope: bytes) -> PageEnd:
    """Return the page end of a cursor. Raises InvalidCursor for a text that `encode` did not make for that scope."""
    try:
        milliseconds, note_id = _unpack(_BY_CREATION, cursor, scope)
        return PageEnd(_EPOCH + milliseconds * _MILLISECOND, note_id)
    except OverflowError as error:
        raise InvalidCursor(_NOT_OURS) from error


def decode_rank(cursor: str, scope: bytes) -> Rank:
    """Return the rank of a cursor. Raises InvalidCursor as `decode` does."""
    score, note_id = _unpack(_BY_RANK, cursor, scope)
    if not isfinite(score):
        raise InvalidCursor(_NOT_OURS)
    return Rank(score, note_id)


def _unpack(layout: Struct, cursor: str, scope: bytes) -> tuple[Any, str]:
    try:
        packed = packed_in(cursor)
        version, found, value, note_id = layout.unpack(packed)
    except (ValueError, StructError) as error:
        raise InvalidCursor(_NOT_OURS) from error
    # Several texts decode to the same bytes. Only the one that `cursor_of` makes is accepted.
    if version != _VERSION or cursor_of(packed) != cursor:
        raise InvalidCursor("the cursor is not one that this version of the service gives out")
    if found != scope:
        raise InvalidCursor("the cursor belongs to a list with other filters, or to another query")
    return value, str(UUID(bytes=note_id))
