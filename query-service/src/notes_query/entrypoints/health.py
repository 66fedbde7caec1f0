"""What the service knows about its own state, for /readyz."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from notes_contracts import format_time


@dataclass(slots=True)
class Part:
    """One thing that can be well or not: since when, and why not."""

    ok: bool
    since: datetime
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the part as /readyz shows it."""
        shown = {"ok": self.ok, "since": format_time(self.since)}
        return shown if self.reason is None else {**shown, "reason": self.reason}


def now() -> datetime:
    """Return the time of day, aware, UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Health:
    """The parts by name. A part keeps its `since` until it changes between well and not well."""

    clock: Callable[[], datetime] = now
    parts: dict[str, Part] = field(default_factory=dict)

    def report(self, name: str, *, ok: bool, reason: str | None = None) -> None:
        """Note the state of a part."""
        part = self.parts.get(name)
        if part is None or part.ok != ok:
            self.parts[name] = Part(ok, self.clock(), reason)
        else:
            part.reason = reason
