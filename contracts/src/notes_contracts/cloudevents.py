"""CloudEvents 1.0 over Kafka: writes binary mode, reads binary and structured mode. Needs no Kafka library."""

import re
from base64 import b64decode
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from notes_contracts.authcontext import valid_auth
from notes_contracts.commands import Command
from notes_contracts.events import Event, Outcome
from notes_contracts.messages import type_of
from notes_contracts.validation import DATA_MAX
from notes_contracts.written_again import written_again

Headers = tuple[tuple[str, bytes], ...]
_Pair = tuple[str | None, str | None]

STRUCTURED = "application/cloudevents+json"
_JSON = (("ce_specversion", b"1.0"), ("content-type", b"application/json"))

# W3C Trace Context: a valid context is passed on, any other counts as absent.
MEMBERS_MAX: Final = 32
_parent: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}(-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-)([0-9a-f]{2})(-.*)?"
).fullmatch
_key: Final = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_value: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_member: Final = re.compile(f"({_key})={_value}").fullmatch
_STATE_MAX: Final = MEMBERS_MAX * 520
_PARENT_MAX: Final = 512

_READ: Final = ("ce_id", "ce_type", "ce_sequence", "ce_correlationid", "ce_causationid")
_get_read: Final = itemgetter(*_READ)


@dataclass(frozen=True, slots=True)
class Written:
    """A record to send: key, value and headers."""

    key: bytes
    value: bytes
    headers: Headers


class Received(NamedTuple):
    """A record as it was read: its readable attributes, and the data as JSON bytes or None.

    The trace context and the auth context are valid. `tracestate` is there only beside `traceparent`.
    """

    id: str | None = None
    type: str | None = None
    data: bytes | None = None
    sequence: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    authtype: str | None = None
    authid: str | None = None


def headers_of(
    *,
    id: str,  # noqa: A002 - the attribute's name in the specification
    type: str,  # noqa: A002
    source: str | None = None,
    time: str | None = None,
    subject: str | None = None,
    sequence: int | None = None,
    correlationid: str | None = None,
    causationid: str | None = None,
    traceparent: str | None = None,
    tracestate: str | None = None,
    authtype: str | None = None,
    authid: str | None = None,
) -> Headers:
    """Return the headers of binary mode. An attribute that is None is left out."""
    # One by one: a loop over names and values takes 1.5 times as long, for every record.
    headers = [*_JSON, ("ce_id", id.encode()), ("ce_type", type.encode())]
    if source is not None:
        headers.append(("ce_source", source.encode()))
    if time is not None:
        headers.append(("ce_time", time.encode()))
    if subject is not None:
        headers.append(("ce_subject", subject.encode()))
    if sequence is not None:
        headers.append(("ce_sequence", str(sequence).encode()))
    if correlationid is not None:
        headers.append(("ce_correlationid", correlationid.encode()))
    if causationid is not None:
        headers.append(("ce_causationid", causationid.encode()))
    if traceparent is not None or tracestate is not None or authtype is not None or authid is not None:
        rare = {"traceparent": traceparent, "tracestate": tracestate, "ce_authtype": authtype, "ce_authid": authid}
        headers += [(name, value.encode()) for name, value in rare.items() if value is not None]
    return tuple(headers)


def write(message: Command | Event | Outcome, *, id: str, **attributes: str | None) -> Written:  # noqa: A002
    """Return the record of a message in binary mode. Its key is the note id, or else the command id of an outcome.

    `attributes`: source, time, correlationid, causationid, traceparent, tracestate, authtype, authid.
    """
    key = message.note_id or (message.command_id if isinstance(message, Outcome) else "")
    version = message.version if isinstance(message, Event | Outcome) else None
    headers = headers_of(id=id, type=type_of(message), subject=message.note_id, sequence=version, **attributes)
    return Written(key=key.encode(), value=to_json(message.__dict__), headers=headers)


def read(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> Received:
    """Return the attributes and the data of a record. Never raises: an unreadable one is None.

    A header that is not UTF-8 or holds NUL counts as absent. Of two headers with the same name the last one counts. A
    byte order mark before JSON is ignored.
    """
    found = dict(headers)
    if is_structured(found):
        return _read_structured(found, value)
    get = found.get
    trace: _Pair = (None, None)
    auth: _Pair = (None, None)
    if "traceparent" in found:
        trace = valid_trace(_text(get("traceparent")), _text(get("tracestate")))
    if "ce_authtype" in found or "ce_authid" in found:
        auth = valid_auth(_text(get("ce_authtype")), _text(get("ce_authid")))
    texts: Sequence[str | None] | None = _decoded_together(found) if "ce_sequence" in found else None
    id_, type_, sequence, correlationid, causationid = texts or [_text(get(name)) for name in _READ]
    return Received(id_, type_, _without_mark(value), sequence, correlationid, causationid, *trace, *auth)


def _decoded_together(found: Mapping[str, bytes | None]) -> list[str] | None:
    """Return the texts of all headers of `_READ`, in a third of the time; None if one is absent or unreadable."""
    try:
        texts: list[str] = b"\0".join(_get_read(found)).decode().split("\0")
    except (KeyError, TypeError, UnicodeDecodeError):
        return None
    return texts if len(texts) == len(_READ) else None


def is_structured(found: Mapping[str, bytes | None]) -> bool:
    """Return whether the content type says that the attributes are in the value. Case and parameters do not matter."""
    raw = found.get("content-type")
    if raw is None or raw == b"application/json":
        return False
    content_type = _text(raw)
    return content_type is not None and content_type.partition(";")[0].strip().lower() == STRUCTURED


def envelope_of(value: bytes | None) -> dict[str, Any] | None:
    """Return the envelope in a value of structured mode, or None if it cannot be read."""
    if value is None or len(value) > DATA_MAX:
        return None
    try:
        envelope = from_json(_without_mark(value) or b"", allow_inf_nan=False)
    except ValueError:
        return None
    return envelope if isinstance(envelope, dict) else None


def _without_mark(value: bytes | None) -> bytes | None:
    return value[len(BOM_UTF8) :] if value is not None and value.startswith(BOM_UTF8) else value


def _text(raw: bytes | None) -> str | None:
    if raw is None or b"\0" in raw:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _read_structured(found: dict[str, bytes | None], value: bytes | None) -> Received:
    envelope = envelope_of(value)
    if envelope is None:
        return Received(id=_text(found.get("ce_id")), type=_text(found.get("ce_type")))
    traceparent, tracestate = valid_trace(_text(found.get("traceparent")), _text(found.get("tracestate")))
    if traceparent is None:
        traceparent, tracestate = valid_trace(_attribute(envelope, "traceparent"), _attribute(envelope, "tracestate"))
    authtype, authid = valid_auth(_attribute(envelope, "authtype"), _attribute(envelope, "authid"))
    return Received(
        id=_attribute(envelope, "id"),
        type=_attribute(envelope, "type"),
        data=_data(envelope),
        sequence=_attribute(envelope, "sequence"),
        correlationid=_attribute(envelope, "correlationid"),
        causationid=_attribute(envelope, "causationid"),
        traceparent=traceparent,
        tracestate=tracestate,
        authtype=authtype,
        authid=authid,
    )


def _attribute(envelope: dict[str, Any], name: str) -> str | None:
    found = envelope.get(name)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) and "\0" not in found else None


def _data(envelope: dict[str, Any]) -> bytes | None:
    if "data" in envelope or "data_base64" not in envelope:
        return written_again(envelope.get("data"))  # absent data counts as null, which fits no message
    encoded = envelope.get("data_base64")
    if not isinstance(encoded, str):
        return None
    try:
        return _without_mark(b64decode(encoded, validate=True))
    except ValueError:
        return None


def valid_trace(traceparent: str | None, tracestate: str | None) -> tuple[str | None, str | None]:
    """Return both values; None for one that is invalid. A `tracestate` without `traceparent` is dropped."""
    parent = valid_traceparent(traceparent)
    return parent, valid_tracestate(tracestate) if parent is not None else None


def valid_traceparent(text: str | None) -> str | None:
    """Return the `traceparent` to pass on, or None if the text is not valid.

    One of a later version is passed on as version 00: its ids, and whether it is sampled.
    """
    if text is None or len(text) > _PARENT_MAX:
        return None
    found = _parent(text)
    if found is None:
        return None
    if text[:2] != "00":
        return f"00{found[1]}0{int(found[2], 16) & 1}"
    return None if found[3] is not None else text


def valid_tracestate(text: str | None) -> str | None:
    """Return the text if it is a list of 1 to 32 members with different keys, else None."""
    if text is None or len(text) > _STATE_MAX:
        return None
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    keys = [found[1] for member in members if (found := _member(member))]
    return text if members and len(set(keys)) == len(members) <= MEMBERS_MAX else None
