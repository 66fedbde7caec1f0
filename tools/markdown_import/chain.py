"""The chain of commands of one path, and the file that keeps it: a run that is killed and repeated has one effect.

**Ids.** A command's id is uuid5(id of the path's last command, hash of the body), so content A, B, A, B gives four ids.
The first follows on uuid5(note id, lineage). The lineage is drawn for a state file: a lost one repeats no ids.

**Killed at any point.** The id is in the state file, as pending, before the command is published, and leaves it only
with its outcome. The next run sends under the same id, so the write side does it once. If the file has changed in
between, the outcome's digest tells which attempt was decided, and what differs then follows as the next link.

**Nobody's change is overwritten.** Each command carries the last version accepted, so somebody else's change is a
`version_conflict`; a note that the state file does not know is a `note_already_exists`. With `--force` the file wins,
but tags that somebody else has added remain. A rejected command is a link, too: the next run tries again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4, uuid5

from filelock import FileLock, Timeout
from pydantic import BaseModel, PrivateAttr, ValidationError

from notes_contracts import Code, Command, Outcome, commands, digest_of
from tools.markdown_import import ImportStoppedError
from tools.markdown_import.files import NoteFile


@dataclass(frozen=True, slots=True)
class Content:
    """What a note holds, None where that is not known. `content_hash` is that of the body."""

    content_hash: str | None = None
    title: str | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Entry(Content):
    """What is known of a path: its last command with an outcome, the last version accepted, whether there is a note.

    `pending_id`: the command without an outcome. `attempts`: what the note holds after each, by the command's digest.
    """

    command_id: str | None = None
    version: int | None = None
    exists: bool = False
    pending_id: str | None = None
    attempts: dict[str, Content] = field(default_factory=dict)


class Link(NamedTuple):
    """The next command for a file, and the entry that must be kept before it is sent."""

    note: NoteFile
    command: Command
    command_id: str
    entry: Entry


def next_link(entry: Entry, note: NoteFile, note_id: str, *, lineage: UUID, force: bool) -> Link | None:
    """Return what is to be sent for the file, or None if the note holds it. Raises pydantic's ValidationError."""
    command, content = _next_command(entry, note, note_id, force=force)
    if not entry.pending_id and content == Content(entry.content_hash, entry.title, entry.tags):
        return None
    last = UUID(entry.command_id) if entry.command_id else uuid5(UUID(note_id), str(lineage))
    command_id = entry.pending_id or str(uuid5(last, note.content_hash))
    attempts = {**entry.attempts, digest_of(command): content}
    return Link(note, command, command_id, replace(entry, pending_id=command_id, attempts=attempts))


def _next_command(entry: Entry, note: NoteFile, note_id: str, *, force: bool) -> tuple[Command, Content]:
    """Return what brings the note one step nearer to the file, or changes nothing, and what the note holds then."""
    if entry.version is None and not (force and entry.exists):
        create = commands.CreateNote(note_id=note_id, title=note.title, body=note.body, tags=note.tags)
        return create, Content(note.content_hash, note.title, note.tags)
    held, tags = Content(entry.content_hash, entry.title, entry.tags), entry.tags or ()
    to: dict[str, Any] = {"note_id": note_id, "expected_version": None if force else entry.version}
    if held.content_hash == note.content_hash:
        if held.title != note.title:
            return commands.RenameNote(title=note.title, **to), replace(held, title=note.title)
        for gone in (tag for tag in tags if tag not in note.tags):
            return commands.UntagNote(tag=gone, **to), replace(held, tags=tuple(tag for tag in tags if tag != gone))
        for new in (tag for tag in note.tags if tag not in tags):
            return commands.TagNote(tag=new, **to), replace(held, tags=(*tags, new))
    return commands.UpdateNote(body=note.body, **to), replace(held, content_hash=note.content_hash)


def settle(link: Link, outcome: Outcome, *, force: bool) -> tuple[Entry, bool]:
    """Return the entry after an outcome, and whether another link may be needed: else this was the file's answer."""
    entry = replace(link.entry, command_id=link.command_id, pending_id=None, attempts={})
    code = outcome.error.code if outcome.error else None
    if outcome.status == "accepted":
        content = link.entry.attempts.get(outcome.digest or "", Content())
        return replace(entry, version=outcome.version, exists=True, **asdict(content)), True
    if code == Code.NOTE_NOT_FOUND:
        return Entry(command_id=link.command_id), True
    exists = code == Code.NOTE_ALREADY_EXISTS
    earlier = outcome.digest not in (None, digest_of(link.command))
    return replace(entry, exists=entry.exists or exists), earlier or (force and exists)


class State(BaseModel):
    """`lineage`: what the chains begin with. `target`: the system the commands go to. `notes`: the entries by path."""

    format: Literal[1]
    namespace: UUID
    lineage: UUID
    target: str | None
    notes: dict[str, Entry] = {}
    _file: Path = PrivateAttr()

    def save(self) -> None:
        """Replace the file: whenever this is killed, it is the old one or the new one. Raises OSError."""
        new = self._file.with_name(self._file.name + ".new")
        with new.open("wb") as opened:
            opened.write(self.model_dump_json(indent=1, exclude_defaults=True).encode())
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(self._file)


@contextmanager
def opened_state(file: Path, namespace: UUID, target: str, *, asked: bool) -> Iterator[State]:
    """Yield what the file holds, its namespace too unless one was `asked` for. Raises ImportStoppedError, OSError."""
    another = "name another file with --state"
    try:
        with FileLock(f"{file}.lock", timeout=0):
            state = State(format=1, namespace=namespace, lineage=uuid4(), target=target)
            if file.exists():
                state = State.model_validate_json(file.read_bytes())
            if state.target != target:
                raise ImportStoppedError(f"{file} is about {state.target}, not {target}; {another}, or delete it.")
            if asked and state.namespace != namespace:
                raise ImportStoppedError(f"{file} is of namespace {state.namespace}, not of {namespace}; {another}.")
            state._file = file  # noqa: SLF001
            yield state
    except Timeout:
        raise ImportStoppedError(f"Another import is using {file}; wait until it has ended.") from None
    except ValidationError as error:
        raise ImportStoppedError(f"{file} is no state file: {error.errors()[0]['msg']}; {another}.") from None
