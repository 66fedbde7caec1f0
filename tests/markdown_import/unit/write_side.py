"""The write side in memory, as far as an upstream can tell, and a Kafka that can be cut off at any step."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

from notes_contracts import (
    COMMANDS,
    Code,
    Command,
    CreateNote,
    Outcome,
    OutcomeError,
    RenameNote,
    TagNote,
    UntagNote,
    UpdateNote,
    Written,
    digest_of,
)
from tools.markdown_import import ImportStoppedError


@dataclass(frozen=True)
class Version:
    title: str
    body: str
    tags: tuple[str, ...] = ()


@dataclass
class StoredNote:
    versions: list[Version]
    archived: bool = False


@dataclass
class WriteSide:
    """Decides as the contract says; each version of a note is an event."""

    notes: dict[str, StoredNote] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)

    def copy(self) -> "WriteSide":
        return deepcopy(self)

    def take(self, record: Written) -> Outcome:
        headers = dict(record.headers)
        command_id, ce_type = headers["ce_id"].decode(), headers["ce_type"].decode()
        command = COMMANDS[ce_type].model_validate_json(record.value)
        assert record.key.decode() == command.note_id
        self.commands.append(command)
        if command_id not in self.outcomes:
            self.outcomes[command_id] = self._decide(command_id, command)
        return self.outcomes[command_id]

    def _decide(self, command_id: str, command: Command) -> Outcome:
        note = self.notes.get(command.note_id)
        code = None
        if isinstance(command, CreateNote):
            if note is None:
                note = StoredNote([Version(command.title, command.body, command.tags)])
                self.notes[command.note_id] = note
            else:
                code = Code.NOTE_ALREADY_EXISTS
        elif note is None:
            code = Code.NOTE_NOT_FOUND
        elif command.expected_version not in (None, len(note.versions)):
            code = Code.VERSION_CONFLICT
        elif note.archived:
            code = Code.NOTE_ARCHIVED
        elif (changed := _changed(note.versions[-1], command)) != note.versions[-1]:
            note.versions.append(changed)
        return Outcome(
            command_id=command_id,
            note_id=command.note_id,
            status="rejected" if code else "accepted",
            version=None if code or note is None else len(note.versions),
            error=OutcomeError(code=code, message="no") if code else None,
            at="2026-01-02T03:04:05.678Z",
            digest=digest_of(command),
        )


def _changed(note: Version, command: Command) -> Version:
    match command:
        case UpdateNote(body=body):
            return replace(note, body=body)
        case RenameNote(title=title):
            return replace(note, title=title)
        case TagNote(tag=tag) if tag not in note.tags:
            return replace(note, tags=(*note.tags, tag))
        case UntagNote(tag=tag):
            return replace(note, tags=tuple(other for other in note.tags if other != tag))
    return note


class KilledError(BaseException):
    """The process is gone."""


class Fuse:
    """Kills the process at the step of that number, and lets it do nothing more; None: never."""

    def __init__(self, at: int | None = None) -> None:
        self.left = at

    def step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KilledError


class MemoryKafka:
    """What is published is decided at once, and answered unless `silent`."""

    def __init__(self, side: WriteSide, fuse: Fuse | None = None, *, silent: bool = False) -> None:
        self._side = side
        self._fuse = fuse or Fuse()
        self._answers: list[Outcome] = []
        self.silent = silent
        self.away = False

    async def publish(self, records: Sequence[Written]) -> None:
        if self.away:
            raise ImportStoppedError("Kafka is away.")
        for record in records:
            self._fuse.step()
            outcome = Outcome.model_validate_json(self._side.take(record).model_dump_json())
            if not self.silent:
                self._answers.append(outcome)
        self._fuse.step()

    async def receive(self, _: float) -> list[Outcome]:
        answers, self._answers = self._answers[:1], self._answers[1:]
        self._fuse.step()
        return answers * 2  # at least once


def write_files(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
