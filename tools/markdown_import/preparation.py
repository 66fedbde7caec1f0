"""Makes commands of files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tools.markdown_import.chain import Link, next_link
from tools.markdown_import.entry import Entry
from tools.markdown_import.ledger import Ledger
from tools.markdown_import.naming import note_id_of
from tools.markdown_import.note_file import NoteFile, UnreadableError, read_note_file
from tools.markdown_import.reasons import invalid_reason
from tools.markdown_import.state_file import StateFile

_NEW = Entry()


@dataclass(frozen=True, slots=True)
class Turn:
    """A file's turn to be looked at; `links`: the commands it took in this run so far."""

    path: str
    links: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command to send, with the file it is made of; `links` counts it, too."""

    note: NoteFile
    link: Link
    links: int


@dataclass(frozen=True, slots=True)
class Preparation:
    """Reads the files of `folder` and compares them with the state; what needs no command is booked at once."""

    folder: Path
    state: StateFile
    ledger: Ledger
    force: bool

    def read(self, turns: Sequence[Turn]) -> list[NoteFile | UnreadableError]:
        """Return what is in the files; touches nothing else, so that a thread may do it."""
        return [self._read(turn.path) for turn in turns]

    def _read(self, path: str) -> NoteFile | UnreadableError:
        try:
            return read_note_file(self.folder, path)
        except UnreadableError as error:
            return error

    def commands(self, turns: Sequence[Turn], notes: Sequence[NoteFile | UnreadableError]) -> list[Prepared]:
        """Return the commands that the files need."""
        prepared = []
        for turn, note in zip(turns, notes, strict=True):
            if isinstance(note, UnreadableError):
                self.ledger.unreadable(turn.path, str(note))
            elif link := self._link(turn, note):
                prepared.append(Prepared(note, link, turn.links + 1))
        return prepared

    def _link(self, turn: Turn, note: NoteFile) -> Link | None:
        entry = self.state.entries.get(turn.path, _NEW)
        head = self.state.head
        note_id = note_id_of(head.namespace, turn.path)
        if not turn.links:
            self.ledger.report.warnings += [(turn.path, warning) for warning in note.warnings]
        try:
            link = next_link(entry, note, note_id, lineage=head.lineage, force=self.force)
        except ValidationError as error:
            self.ledger.not_allowed(turn.path, invalid_reason(error))
            return None
        if link is None:
            book = self.ledger.accepted if turn.links else self.ledger.unchanged
            book(turn.path, entry, note.title, note.tags)
        return link
