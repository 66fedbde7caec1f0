"""Dead letters over HTTP, as every service lists, shows and names them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import from_json, to_json

from notes_chassis.dead_letters import After, DeadLetterFilter, Parts, Position, as_base64
from notes_chassis.http.administration import PAGE_MAX, PageQuery
from notes_chassis.http.problems import Refusal
from notes_chassis.http.queries import cursor_of, packed_in

VALUE_SHOWN: Final = 64 * 1024
"""Bytes of a dead letter's value that are sent; the command line shows it whole."""
HEADERS_SHOWN: Final = 16 * 1024
"""Bytes of its headers, and of its key."""
NAMED: Final = 20
"""Dead letters that a refusal names."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_VERSION: Final = 1
TYPE_MAX: Final = 200
NO_NUL: Final = r"^[^\x00]*$"
_ID: Final = r"^[A-Za-z0-9._-]{1,249}:[0-9]{1,9}:[0-9]{1,18}(#[0-9a-f]{1,64})?$"
EXAMPLE: Final = "notes.commands:3:17"
CURSOR_EXAMPLE: Final = "WzEsImMwZmZlZSIsMTc2NzMyMzA0NTY3ODAwMCwibm90ZXMuY29tbWFuZHMiLDMsMTcsIiJd"
MEANT: Final = {"ids": [EXAMPLE], "force": False}
RECORD: Final = {"key": None, "headers": [["ce_id", None]], "value": "ew==", "cut": []}
"""These four are examples for OpenAPI."""
T = TypeVar("T")


class DeadLettersQuery(PageQuery):
    """Query of `GET /admin/dead-letters`. A service says what its dead letters are about, by an alias of `subject`."""

    state: Annotated[
        Literal["open", "redriven", "dropped", "all"], Field(description="Only those.", examples=["open"])
    ] = "open"
    reason: Annotated[
        Literal["undecodable", "internal"] | None, Field(description="Only of this code.", examples=["internal"])
    ] = None
    type: Annotated[
        str | None,
        Field(description="Only of this type.", max_length=TYPE_MAX, pattern=NO_NUL, examples=["update-note"]),
    ] = None
    cursor: Annotated[
        str | None,
        Field(description="`next_cursor` of the page before; the filters stay the same.", examples=[CURSOR_EXAMPLE]),
    ] = None
    subject: str | None = None

    def wanted(self, type_of: Callable[[str], str] = str) -> tuple[DeadLetterFilter, bytes]:
        """Return which are meant, and what tells their cursors from those of others. Raises Refusal."""
        type_ = None if self.type is None else type_of(self.type)
        scope = sha256(to_json((self.state, self.reason, self.subject, type_))).digest()[:6]
        after = None if self.cursor is None else _after(self.cursor, scope)
        state = None if self.state == "all" else self.state
        return DeadLetterFilter(reason=self.reason, subject=self.subject, type=type_, state=state, after=after), scope


def example(type_: str, time: str, **more: Any) -> dict[str, Any]:
    """Return an example of a dead letter in a list, for OpenAPI. `more`: what is the service's own."""
    reason = "not JSON: EOF while parsing a value at line 1 column 1"
    said = {"id": EXAMPLE, "time": time, "state": "open", "code": "undecodable", "type": type_, "reason": reason}
    return said | more


def page_of(
    found: Sequence[T], limit: int, place: Callable[[T], After], scope: bytes
) -> tuple[Sequence[T], str | None]:
    """Return the page, and the cursor of the next one, out of one more than the page has, if there are as many."""
    if len(found) <= limit:
        return found, None
    return found[:limit], _cursor(place(found[limit - 1]), scope)


def _cursor(after: After, scope: bytes) -> str:
    return cursor_of(to_json([_VERSION, scope.hex(), (after.at - _EPOCH) // _MICROSECOND, *after.position]))


def _after(cursor: str, scope: bytes) -> After:
    try:
        _, of, microseconds, topic, partition, offset, record = from_json(packed_in(cursor))
        position = Position(topic, partition, offset, record)
        after = After(_EPOCH + microseconds * _MICROSECOND, position)
        ours = Position.parse(str(position)) == position and _cursor(after, bytes.fromhex(of)) == cursor
    except (ValueError, TypeError, OverflowError):
        ours = False
    if not ours:
        raise Refusal(400, "invalid_cursor", "the cursor is not one that this service has given out")
    if of != scope.hex():
        raise Refusal(400, "invalid_cursor", "the cursor belongs to a list with other filters")
    return after


DeadLetterId = Annotated[
    str,
    AfterValidator(lambda text: str(Position.parse(text))),
    WithJsonSchema({"type": "string", "pattern": _ID, "examples": [EXAMPLE]}),
]
"""topic:partition:offset, and behind a # which of several."""


class DeadLettersMeant(BaseModel):
    """Dead letters, in any state. `force`: also those that would be held back."""

    model_config = ConfigDict(strict=True, extra="forbid")

    ids: Annotated[list[DeadLetterId], Field(min_length=1, max_length=PAGE_MAX)]
    force: bool = False

    @property
    def filter(self) -> DeadLetterFilter:
        """Return the same as a filter."""
        return DeadLetterFilter(ids=tuple(dict.fromkeys(map(Position.parse, self.ids))), state=None)

    def missing(self, found: Iterable[str]) -> list[str]:
        """Return those that are not among the ids that were found."""
        there = set(found)
        return [id_ for id_ in self.ids if id_ not in there]


class Cut(BaseModel):
    """A part of a record that is too large to be sent whole, and its size in bytes."""

    part: Literal["key", "headers", "value"]
    bytes: int


class RecordPreview(BaseModel):
    """A record as it was read: bytes are base64. `cut` names what is not there whole; the command line shows all."""

    key: str | None
    headers: list[tuple[str, str | None]]
    value: str | None
    cut: list[Cut]


def previewed(record: Parts) -> dict[str, Any]:
    """Return what RecordPreview describes, of a record of any size."""
    sizes = {"key": len(record.key or b""), "headers": 0, "value": len(record.value or b"")}
    headers: list[tuple[str, str | None]] = []
    for name, value in record.headers:
        sizes["headers"] += len(name.encode()) + len(value or b"")
        if sizes["headers"] <= HEADERS_SHOWN:
            headers.append((name, as_base64(value, HEADERS_SHOWN)))
    most = {"key": HEADERS_SHOWN, "headers": HEADERS_SHOWN, "value": VALUE_SHOWN}
    return {
        "key": as_base64(record.key, HEADERS_SHOWN),
        "headers": headers,
        "value": as_base64(record.value, VALUE_SHOWN),
        "cut": [{"part": part, "bytes": size} for part, size in sizes.items() if size > most[part]],
    }


class Dropped(BaseModel):
    """Ids of the dead letters that are dealt with."""

    dropped: list[str]


def not_found(ids: Sequence[str]) -> Refusal:
    """Return the refusal that names them."""
    detail = f"there is no dead letter {', '.join(ids[:3])}"
    return Refusal(404, "dead_letter_not_found", detail, members={"ids": ids[:NAMED]})
