"""Books what becomes of each file: in the report, and on the display."""

from dataclasses import dataclass

from notes_contracts import Outcome
from tools.markdown_import.display import Display
from tools.markdown_import.entry import Entry
from tools.markdown_import.reasons import outcome_reason, unsent_changes
from tools.markdown_import.report import Report


@dataclass(frozen=True, slots=True)
class Ledger:
    """Each file is booked once."""

    report: Report
    display: Display

    def unreadable(self, path: str, reason: str) -> None:
        """Book a file that is no text."""
        self.report.unreadable.append((path, reason))
        self.display.advance()

    def not_allowed(self, path: str, reason: str) -> None:
        """Book a file that the contract does not allow as a note; it was not sent."""
        self.report.rejected.append((path, f"not sent: {reason}"))
        self.display.advance()

    def unchanged(self, path: str, entry: Entry, title: str, tags: tuple[str, ...]) -> None:
        """Book a file whose body the note holds already."""
        self.report.unchanged += 1
        self._done(path, entry, title, tags)

    def accepted(self, path: str, entry: Entry, title: str, tags: tuple[str, ...]) -> None:
        """Book a file whose command was accepted; `title` and `tags` are the file's, `entry` has the note's."""
        self.report.accepted += 1
        self._done(path, entry, title, tags)

    def refused(self, path: str, outcome: Outcome, before: Entry) -> None:
        """Book a file whose command was rejected or failed; `before`: the entry as it was when sent."""
        listed = self.report.rejected if outcome.status == "rejected" else self.report.failed
        listed.append((path, outcome_reason(outcome, before)))
        self.display.advance()

    def _done(self, path: str, entry: Entry, title: str, tags: tuple[str, ...]) -> None:
        if changes := unsent_changes(entry, title, tags):
            self.report.unsent.append((path, changes))
        self.display.advance()
