"""W3C Trace Context: what is valid is passed on, everything else counts as absent."""

import re
from typing import Final

MEMBERS_MAX: Final = 32
_parent: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}(-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-)([0-9a-f]{2})(-.*)?"
).fullmatch
_key: Final = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_value: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_member: Final = re.compile(f"({_key})={_value}").fullmatch
_STATE_MAX: Final = MEMBERS_MAX * 520
_PARENT_MAX: Final = 512


def valid_trace(traceparent: str | None, tracestate: str | None) -> tuple[str | None, str | None]:
    """Return what is valid of both; a state without a parent means nothing."""
    parent = valid_traceparent(traceparent)
    return parent, valid_tracestate(tracestate) if parent is not None else None


def valid_traceparent(text: str | None) -> str | None:
    """Return the `traceparent` to pass on, or None for a text that is none.

    One of a later version is passed on as what version 00 knows of it: ids, and the flag that it is sampled.
    """
    if text is None or len(text) > _PARENT_MAX or (found := _parent(text)) is None:
        return None
    if text[:2] != "00":
        return f"00{found[1]}0{int(found[2], 16) & 1}"
    return None if found[3] is not None else text


def valid_tracestate(text: str | None) -> str | None:
    """Return `tracestate` if it is a list of 1 to 32 members with different keys, else None."""
    if text is None or len(text) > _STATE_MAX:
        return None
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    keys = [found[1] for member in members if (found := _member(member))]
    return text if members and len(set(keys)) == len(members) <= MEMBERS_MAX else None
