"""What a service knows about its own state, for /readyz."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from prometheus_client import Gauge

PART_OK: Final = Gauge("notes_part_ok", "1 while a part that /readyz names is well, 0 while it is not", ["part"])


class Trouble(NamedTuple):
    """Why a part is not well. `unready`: a request would run into it as well."""

    reason: str
    unready: bool


@dataclass(slots=True)
class Part:
    """One thing that can be well or not: since when, and why not, by cause."""

    since: datetime
    troubles: dict[str, Trouble] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Return whether nothing is wrong with it."""
        return not self.troubles

    @property
    def reason(self) -> str | None:
        """Return everything that is wrong with it, in words."""
        return "; ".join(trouble.reason for trouble in self.troubles.values()) or None

    def as_json(self) -> dict[str, Any]:
        """Return the part as /readyz shows it."""
        since = self.since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = {"ok": self.ok, "since": since}
        return shown if self.reason is None else {**shown, "reason": self.reason}


@dataclass(slots=True)
class Health:
    """The parts by name. A part keeps its `since` until it changes between well and not well.

    A cause has one reporter. A part that can fail for several reasons has several causes, and is well when none of them
    stands: two reporters of one cause would contradict each other, and `since` would never be old.
    """

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    parts: dict[str, Part] = field(default_factory=dict)

    def report(
        self, name: str, *, ok: bool, reason: str | None = None, cause: str = "", unready: bool = False
    ) -> str | None:
        """Note what one cause does to a part; return the reason that it gave before, None where it gave none."""
        part = self.parts.get(name)
        was_ok = None if part is None else part.ok
        if part is None:
            part = self.parts[name] = Part(self.clock())
        before = part.troubles.pop(cause, None) if ok else part.troubles.get(cause)
        if not ok:
            part.troubles[cause] = Trouble(reason or "not well", unready)
        if was_ok != part.ok:
            PART_OK.labels(name).set(part.ok)
            if was_ok is not None:
                part.since = self.clock()
        return before and before.reason

    def forget(self, name: str) -> None:
        """Show the part no more."""
        if self.parts.pop(name, None) is not None:
            PART_OK.remove(name)

    def ready(self, needed: Iterable[str]) -> bool:
        """Return whether what a request needs is well. What nobody has looked at yet is not known to be."""
        unready = any(trouble.unready for part in self.parts.values() for trouble in part.troubles.values())
        return not unready and all(name in self.parts and self.parts[name].ok for name in needed)

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return all parts as /readyz shows them."""
        return {name: part.as_json() for name, part in sorted(self.parts.items())}
