"""What became of the files, counted and told."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from pydantic import ValidationError

from notes_contracts import Code, Outcome

SHOWN = 20  # of what is left out or pending; of more, the number says enough
ALWAYS = ("files found", "unchanged", "commands sent", "accepted", "rejected")
ROWS = (*ALWAYS, "failed", "unreadable", "left out", "pending", "files gone")
HINTS = {
    "pending": "   run the import again: it asks for the same outcomes, nothing happens twice",
    "files gone": "   their notes stay: a deleted note never comes back, so an import deletes none",
    Code.VERSION_CONFLICT: " (somebody changed the note after version {}; --force overwrites it)",
    Code.NOTE_ALREADY_EXISTS: " (and the state file does not know it; --force replaces what it holds)",
}


@dataclass(slots=True)
class Report:
    """`told`: kind, path and reason. `times`: seconds from publishing to a reader's answer; `untimed`: why no more."""

    counts: Counter[str] = field(default_factory=Counter)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    untimed: str | None = None

    def book(self, kind: str, path: str, reason: str | None = None) -> None:
        """Count a file, and name it if there is a reason."""
        self.counts[kind] += 1
        if reason and (self.counts[kind] <= SHOWN or kind not in ("left out", "pending")):
            self.told.append((kind, path, reason))

    def book_refusal(self, path: str, outcome: Outcome, version: int | None) -> None:
        """Book a file whose command was not accepted, with what to do about it; `version` was the last we knew."""
        code, message = (outcome.error.code, outcome.error.message) if outcome.error else ("", "no reason given")
        self.book(outcome.status, path, f"{code}: {message}{HINTS.get(code, '').format(version)}")

    def book_invalid(self, path: str, error: ValidationError) -> None:
        """Book a file that the contract does not allow as a note, so that nothing was sent."""
        nul = {"string_pattern_mismatch": "holds a NUL character"}
        faults = [f"{at['loc'][0]} {nul.get(at['type'], at['msg'].removeprefix('String '))}" for at in error.errors()]
        self.book("rejected", path, f"not sent: {'; '.join(faults)}")

    @property
    def is_clean(self) -> bool:
        """Tell whether every file's content is in its note."""
        return not any(self.counts[kind] for kind in ("unreadable", "rejected", "failed", "pending"))

    def lines(self) -> list[str]:
        """Return the summary, a line each: what needs attention, then the numbers."""
        rows = [row for row in ROWS if self.counts[row] or row in ALWAYS]
        lines = [": ".join(one) for one in self.told]
        lines += [f"{row:<15}{self.counts[row]:>9,}{HINTS.get(row, '')}" for row in rows]
        parts = [f"not measured: {self.untimed}"] if self.untimed else []
        if self.times:
            p50, most = (f"{seconds * 1000:,.0f} ms" for seconds in (median(self.times), max(self.times)))
            parts.append(
                f"p50 {p50}, max {most} from publishing to a reader's answer ({len(self.times):,} notes timed)"
            )
        return [*lines, f"readable after  {'; '.join(parts) or 'nothing new to read'}"]
