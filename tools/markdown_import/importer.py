"""The run: sends what has changed, takes the outcomes, and says what became of each file."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, perf_counter

import httpx
from pydantic import ValidationError
from rich.progress import track

from notes_contracts import Code, format_time, write
from tools.markdown_import.chain import Entry, Link, State, next_link, settle
from tools.markdown_import.files import NoteFile, note_id_of, read_note_file
from tools.markdown_import.kafka import Kafka

SOURCE = "urn:notes:markdown-import"
CHUNK = 200  # files read, made durable as pending, and published at once
MAX_LINKS = 50  # commands a file gets in one run: body, title, and 20 tags off and on are 42
ALWAYS = ("files found", "unchanged", "commands sent", "accepted", "rejected")
OTHERS = ("failed", "unreadable", "left out", "pending", "files gone")
HINTS = {
    "pending": "   run the import again: it asks for the same outcomes, nothing happens twice",
    "files gone": "   their notes stay: a deleted note never comes back, so an import deletes none",
    Code.VERSION_CONFLICT: " (somebody changed the note after version {}; --force overwrites it)",
    Code.NOTE_ALREADY_EXISTS: " (and the state file does not know it; --force replaces what it holds)",
}


@dataclass(slots=True)
class Report:
    """What became of the files. `told`: kind, path and reason. `readable`: when a reader got the last note timed."""

    counts: Counter[str] = field(default_factory=Counter)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    readable: str = "not measured"

    def book(self, kind: str, path: str, reason: str | None = None) -> None:
        """Count a file, and name it if there is a reason; of many left out or pending, the number says enough."""
        self.counts[kind] += 1
        if reason and (self.counts[kind] <= 20 or kind not in ("left out", "pending")):
            self.told.append((kind, path, reason))

    def is_clean(self) -> bool:
        """Tell whether every file's content is in its note."""
        return not any(self.counts[kind] for kind in ("unreadable", "rejected", "failed", "pending"))

    def lines(self) -> list[str]:
        """Return the summary, a line each: what needs attention, then the numbers."""
        rows = (*ALWAYS, *(row for row in OTHERS if self.counts[row]))
        numbers = [f"{row:<15}{self.counts[row]:>9,}{HINTS.get(row, '')}" for row in rows]
        return [*map(": ".join, self.told), *numbers, f"readable after  {self.readable}"]


@dataclass(slots=True)
class Importer:
    """One run. After `patience` seconds without an outcome nobody waits for one any more."""

    folder: Path
    state: State
    kafka: Kafka
    report: Report
    force: bool
    patience: float
    query_url: str | None = None
    _sent: dict[str, Link] = field(default_factory=dict)

    async def run(self, paths: Sequence[str]) -> None:
        """Bring the files in. Raises what State and Kafka raise; what the state file holds is right then, too."""
        try:
            for start in track(range(0, len(paths), CHUNK), "importing", disable=not sys.stdout.isatty()):
                await self._bring_in(paths[start : start + CHUNK])
        finally:
            self._give_up("no outcome yet")
            if self.report.counts["commands sent"]:
                self.state.save()

    async def _bring_in(self, paths: Sequence[str]) -> None:
        no_outcome, links = f"no outcome within {self.patience:g} s", list[Link]()
        for path in paths:
            try:
                note = read_note_file(self.folder, path)
            except (OSError, ValueError) as error:
                self.report.book("unreadable", path, str(error))
            else:
                self.report.told += [("warning", path, why) for why in note.warnings]
                links += self._next_link(note, "unchanged")
        for _ in range(MAX_LINKS):
            if links:
                self.state.notes.update({link.note.path: link.entry for link in links})
                self.state.save()
                self._sent = {link.command_id: link for link in links}
                self.report.counts["commands sent"] += len(links)
                now = format_time(datetime.now(UTC))
                await self.kafka.publish([write(it.command, id=it.command_id, source=SOURCE, time=now) for it in links])
                links = await self._outcomes()
                self._give_up(no_outcome)
        self.report.counts["failed"] += len(links)

    def _next_link(self, note: NoteFile, done: str) -> list[Link]:
        """Return the file's next command; if there is none, book the file: as `done` if its note holds it."""
        entry, note_id = self.state.notes.get(note.path, Entry()), note_id_of(self.state.namespace, note.path)
        try:
            if link := next_link(entry, note, note_id, lineage=self.state.lineage, force=self.force):
                return [link]
            self.report.book(done, note.path)
        except ValidationError as error:
            faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
            self.report.book("rejected", note.path, f"not sent: {faults}")
        return []

    async def _outcomes(self) -> list[Link]:
        """Take the outcomes of what was published, and return the commands that must follow."""
        following, published, heard, done = list[Link](), perf_counter(), monotonic(), None
        while self._sent and (left := heard + self.patience - monotonic()) > 0:
            for outcome in await self.kafka.receive(min(left, 1)):
                if not (link := self._sent.pop(outcome.command_id, None)):
                    continue
                heard, path, before = monotonic(), link.note.path, link.entry.version
                self.state.notes[path], more = settle(link, outcome, force=self.force)
                if more:
                    next_ = self._next_link(link.note, "accepted")
                    following, done = following + next_, done if next_ else outcome
                else:
                    code, why = (outcome.error.code, outcome.error.message) if outcome.error else ("", "no reason")
                    self.report.book(outcome.status, path, f"{code}: {why}{HINTS.get(code, '').format(before)}")
        if done and self.query_url:
            url = f"{self.query_url}/notes/{done.note_id}?min_version={done.version}&wait=10"
            with suppress(httpx.HTTPError, httpx.InvalidURL):
                answer = await asyncio.to_thread(httpx.get, url, timeout=15, trust_env=False)
                if answer.headers.get("Consistency") == "current":
                    self.report.readable = f"{(perf_counter() - published) * 1000:,.0f} ms from publishing"
        return following

    def _give_up(self, why: str) -> None:
        """Book what has no outcome. It is safe on Kafka, and so is what follows: nobody waits for that."""
        for link in self._sent.values():
            self.report.book("pending", link.note.path, why)
        self.patience = 0 if self._sent else self.patience
        self._sent = {}
