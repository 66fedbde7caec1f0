"""Errors for a sender whose record lacks an attribute. Most often a header has nearly the right name."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from notes_contracts.cloudevents import STRUCTURED, envelope_of, is_structured

_SEARCHED: Final = 1_000
"""Headers, and bytes of a value, that are searched, at most: a record may have a million."""
_NAME_MAX: Final = 32
_NO_ENVELOPE: Final = f"the header 'content-type' says '{STRUCTURED}', but the value is not a JSON object"
_PREFIX: Final = r"[ _-]*(?:x[-_. ])?(?:cloudevents?|ce)?[-_.: ]*"


def missing(attribute: str, headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> str:
    """Return a sentence that an attribute is missing, and which header the sender may have meant for it."""
    found = dict(headers)
    if is_structured(found):
        envelope = envelope_of(value)
        return f"{attribute} is missing: {_NO_ENVELOPE}" if envelope is None else _missing_inside(attribute, envelope)
    names = [*found][:_SEARCHED]
    wanted = f"ce_{attribute}"
    if wanted in found:
        return f"{wanted} is null, holds NUL or is not UTF-8"
    if (like := _like(attribute, names)) is not None:
        return f"{wanted} is missing{_but(wanted, like)}"
    hint = f"in structured mode the header 'content-type' says '{STRUCTURED}'"
    if (like := _like("content[-_ .]?type", names)) not in {None, "content-type"}:
        return f"{wanted} is missing{_but('content-type', like)}; {hint}"
    if b'"specversion"' in (value or b"")[:_SEARCHED]:
        return f"{wanted} is missing; the value looks like an envelope: {hint}"
    return f"{wanted} is missing"


def _missing_inside(attribute: str, envelope: Mapping[str, object]) -> str:
    if attribute in envelope:
        return f"{attribute} in the envelope is not a text, or holds NUL"
    like = _like(attribute, [*envelope][:_SEARCHED])
    return f"{attribute} is missing in the envelope{_but(attribute, like)}"


def _like(attribute: str, names: Iterable[str]) -> str | None:
    """Return the first name that is nearly the attribute's."""
    nearly = re.compile(_PREFIX + attribute + r"[ _-]*", re.IGNORECASE | re.ASCII).fullmatch
    return next((name for name in names if len(name) <= _NAME_MAX and nearly(name)), None)


def _but(wanted: str, like: str | None) -> str:
    return "" if like is None else f"; there is {like!r}, which has to be called {wanted!r}"
