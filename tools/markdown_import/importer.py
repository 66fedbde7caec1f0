"""The run: sends what has changed, takes the outcomes, and times a reader of the last note of each batch."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, perf_counter

import httpx
from pydantic import ValidationError
from rich.progress import track

from notes_contracts import Outcome, format_time, write
from tools.markdown_import.chain import Entry, Link, next_link, settle
from tools.markdown_import.files import NoteFile, note_id_of, read_note_file
from tools.markdown_import.kafka import Kafka
from tools.markdown_import.report import Report
from tools.markdown_import.state import State

CHUNK = 200  # files read, made durable as pending, and published at once
MAX_LINKS = 50  # commands a file gets in one run: body, title, and 20 tags off and on are 42
WAIT_S = 10  # that the read side may keep a reader waiting, the most it allows


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
        """Bring the files in. Raises ImportStoppedError or OSError; what the state file holds is right then, too."""
        try:
            for start in track(range(0, len(paths), CHUNK), "importing", disable=not sys.stdout.isatty()):
                await self._bring_in(paths[start : start + CHUNK])
        finally:
            self._give_up("no outcome yet")
            if self.report.counts["commands sent"]:
                self.state.save()

    async def _bring_in(self, paths: Sequence[str]) -> None:
        no_outcome = f"no outcome within {self.patience:g} s"
        links = [link for path in paths for link in self._first_link(path)]
        for _ in range(MAX_LINKS):
            if links:
                await self._publish(links)
                links = await self._outcomes()
                self._give_up(no_outcome)
        for link in links:
            self.report.book("failed", link.note.path, f"differs from its note after {MAX_LINKS} commands")

    def _first_link(self, path: str) -> list[Link]:
        try:
            note = read_note_file(self.folder, path)
        except (OSError, ValueError) as error:
            self.report.book("unreadable", path, str(error))
            return []
        self.report.told += [("warning", path, why) for why in note.warnings]
        return self._next_link(note, "unchanged")

    def _next_link(self, note: NoteFile, done: str) -> list[Link]:
        """Return the file's next command; if there is none, book the file: as `done` if its note holds it."""
        entry, note_id = self.state.notes.get(note.path, Entry()), note_id_of(self.state.namespace, note.path)
        try:
            if link := next_link(entry, note, note_id, lineage=self.state.lineage, force=self.force):
                return [link]
            self.report.book(done, note.path)
        except ValidationError as error:
            self.report.book_invalid(note.path, error)
        return []

    async def _publish(self, links: Sequence[Link]) -> None:
        self.state.notes.update({link.note.path: link.entry for link in links})
        self.state.save()
        self._sent = {link.command_id: link for link in links}
        self.report.counts["commands sent"] += len(links)
        time, source = format_time(datetime.now(UTC)), "urn:notes:markdown-import"
        await self.kafka.publish([write(one.command, id=one.command_id, source=source, time=time) for one in links])

    async def _outcomes(self) -> list[Link]:
        """Take the outcomes of what was published, and return the commands that must follow."""
        following, done, published, heard = list[Link](), list[Outcome](), perf_counter(), monotonic()
        while self._sent and (left := heard + self.patience - monotonic()) > 0:
            for outcome in await self.kafka.receive(min(left, 1)):
                if (link := self._sent.pop(outcome.command_id, None)) is None:
                    continue
                heard, note = monotonic(), link.note
                self.state.notes[note.path], more = settle(link, outcome, force=self.force)
                if not more:
                    self.report.book_refusal(note.path, outcome, link.entry.version)
                elif next_ := self._next_link(note, "accepted"):
                    following += next_
                else:
                    done.append(outcome)
        if done and self.query_url and not self.report.untimed:
            await self._time_a_reader(done[-1], published)
        return following

    def _give_up(self, why: str) -> None:
        """Book what has no outcome. It is safe on Kafka, and so is what follows: nobody waits for that."""
        for link in self._sent.values():
            self.report.book("pending", link.note.path, why)
        self.patience = 0 if self._sent else self.patience
        self._sent = {}

    async def _time_a_reader(self, accepted: Outcome, published: float) -> None:
        url = f"{self.query_url}/notes/{accepted.note_id}?min_version={accepted.version}&wait={WAIT_S}"
        try:
            async with httpx.AsyncClient(timeout=WAIT_S + 5, trust_env=False) as http:
                answer = await http.get(url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self.report.untimed = f"{url} cannot be read: {str(error) or type(error).__name__}"
            return
        if answer.headers.get("Consistency") == "current":
            self.report.times.append(perf_counter() - published)
        elif answer.status_code != httpx.codes.GONE:
            self.report.untimed = f"{url} did not show it"
