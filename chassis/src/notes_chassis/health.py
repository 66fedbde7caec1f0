"""The state of a service by parts, for /readyz."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from prometheus_client import Gauge

PART_OK: Final = Gauge("notes_part_ok", "1 while a part that /readyz names is well, 0 while it is not", ["part"])


class Trouble(NamedTuple):
    """Why a part is not well. `unready`: requests would fail for the same reason."""

    reason: str
    unready: bool


@dataclass(slots=True)
class Part:
    """A part of the service: whether it is well, since when, and if not, why, by cause."""

    since: datetime
    troubles: dict[str, Trouble] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Return whether the part is well."""
        return not self.troubles

    @property
    def reason(self) -> str | None:
        """Return everything that is wrong with the part, in words."""
        return "; ".join(trouble.reason for trouble in self.troubles.values()) or None

    def as_json(self) -> dict[str, Any]:
        """Return the part as /readyz shows it."""
        since = self.since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = {"ok": self.ok, "since": since}
        return shown if self.reason is None else {**shown, "reason": self.reason}


@dataclass(slots=True)
class Health:
    """The parts by name. A part keeps its `since` until it changes between well and not well.

    A part that can fail in several ways has several causes, and is well when none of them is reported. Each cause has
    one reporter: two would contradict each other, and `since` would always be new.
    """

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    parts: dict[str, Part] = field(default_factory=dict)

    def report(self, name: str, *, ok: bool, reason: str | None = None, cause: str = "", unready: bool = False) -> bool:
        """Note whether a part is well as far as one cause goes; return whether that cause's reason has changed."""
        part = self.parts.get(name)
        was_ok = None if part is None else part.ok
        if part is None:
            part = self.parts[name] = Part(self.clock())
        before = part.troubles.get(cause)
        trouble = None if ok else Trouble(reason or "not well", unready)
        if trouble is None:
            part.troubles.pop(cause, None)
        else:
            part.troubles[cause] = trouble
        if was_ok != part.ok:
            PART_OK.labels(name).set(part.ok)
            if was_ok is not None:
                part.since = self.clock()
        return (before and before.reason) != (trouble and trouble.reason)

    def forget(self, name: str) -> None:
        """Remove the part from /readyz."""
        if self.parts.pop(name, None) is not None:
            PART_OK.remove(name)

    def ready(self, needed: Iterable[str]) -> bool:
        """Return whether all that a request needs is well. A part that was never reported counts as not well."""
        unready = any(trouble.unready for part in self.parts.values() for trouble in part.troubles.values())
        return not unready and all(name in self.parts and self.parts[name].ok for name in needed)

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return all parts as /readyz shows them."""
        return {name: part.as_json() for name, part in sorted(self.parts.items())}
