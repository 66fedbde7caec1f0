"""The opaque cursor of a list of notes: a version byte, the creation time and the id of the last note seen."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from struct import Struct
from struct import error as StructError  # noqa: N812 - the module's name for it is no class name
from typing import Final, NamedTuple
from uuid import UUID

from notes_query.application.errors import InvalidCursor

_LAYOUT: Final = Struct(">Bq16s")
_VERSION: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Position(NamedTuple):
    """Where a page ended."""

    created_at: datetime
    note_id: str


def encode(position: Position) -> str:
    """Return the cursor that goes on below `position`."""
    milliseconds = (position.created_at - _EPOCH) // _MILLISECOND
    packed = _LAYOUT.pack(_VERSION, milliseconds, UUID(position.note_id).bytes)
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(cursor: str) -> Position:
    """Return the position of a cursor. Raises InvalidCursor for a text that `encode` did not make."""
    try:
        packed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        version, milliseconds, note_id = _LAYOUT.unpack(packed)
        position = Position(_EPOCH + milliseconds * _MILLISECOND, str(UUID(bytes=note_id)))
    except (ValueError, StructError, OverflowError) as error:
        raise InvalidCursor("the cursor is not one that this service has given out") from error
    if version != _VERSION or encode(position) != cursor:
        raise InvalidCursor("the cursor is not one that this version of the service gives out")
    return position
