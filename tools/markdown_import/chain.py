"""The chain of commands of one path: every content arrives, and no run that was killed has two effects.

**Ids.** A command's id is uuid5(id of the path's last command, hash of the body), so content A, B, A, B gives four
ids. The first follows on uuid5(note id, lineage). The lineage is drawn once for a state file: without it a lost file
would begin anew with ids that old outcomes answer.

**Killed at any point.** The id is durably in the state file, as pending, before the command is published, and leaves it
only with its outcome. The next run sends under the same id, so the write side does it once. If the file has changed in
between, the outcome's digest tells which attempt was decided, and what differs then follows as the next link.

**Nobody's change is overwritten.** Each command carries the last version accepted, so somebody else's change is a
`version_conflict`; a note that the state file does not know is a `note_already_exists`. With `--force` the file wins,
but tags that somebody else has added remain. A rejected command is a link, too: the next run tries again.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID, uuid5

from notes_contracts import Code, Command, Outcome, commands, digest_of
from tools.markdown_import.files import NoteFile


@dataclass(frozen=True, slots=True)
class Content:
    """What a note holds, None where that is not known. `content_hash` is that of the body."""

    content_hash: str | None = None
    title: str | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A command whose outcome is not known. `attempts`: what the note holds after each, by the command's digest."""

    command_id: str
    attempts: dict[str, Content]


@dataclass(frozen=True, slots=True)
class Entry(Content):
    """What the state file knows of one path. `exists`: a note with this id is there, whoever made it.

    `command_id` is the last that got an outcome, `version` that of the last accepted one.
    """

    command_id: str | None = None
    version: int | None = None
    exists: bool = False
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """The next command for a file, and the entry that must be kept before it is sent."""

    note: NoteFile
    command: Command
    command_id: str
    entry: Entry


def next_link(entry: Entry, note: NoteFile, note_id: str, *, lineage: UUID, force: bool) -> Link | None:
    """Return what is to be sent for the file, or None if the note holds it. Raises pydantic's ValidationError."""
    command, content = _next_command(entry, note, note_id, force=force)
    pending = entry.pending
    if pending is None:
        if command is None:
            return None
        last = UUID(entry.command_id) if entry.command_id else uuid5(UUID(note_id), str(lineage))
        pending = Pending(str(uuid5(last, note.content_hash)), {})
    if (
        command is None
    ):  # the file is as the note was before the pending command: what asks for the outcome changes nothing
        expected = None if force else entry.version
        command = commands.UpdateNote(note_id=note_id, body=note.body, expected_version=expected)
    pending = replace(pending, attempts={**pending.attempts, digest_of(command): content})
    return Link(note, command, pending.command_id, replace(entry, pending=pending))


def _next_command(entry: Entry, note: NoteFile, note_id: str, *, force: bool) -> tuple[Command | None, Content]:
    """Return what brings the note one step nearer to the file, and what it holds then."""
    if entry.version is None and not (force and entry.exists):
        create = commands.CreateNote(note_id=note_id, title=note.title, body=note.body, tags=note.tags)
        return create, Content(note.content_hash, note.title, note.tags)
    held, tags = Content(entry.content_hash, entry.title, entry.tags), entry.tags or ()
    to: dict[str, Any] = {"note_id": note_id, "expected_version": None if force else entry.version}
    if entry.content_hash != note.content_hash:
        return commands.UpdateNote(body=note.body, **to), replace(held, content_hash=note.content_hash)
    if entry.title != note.title:
        return commands.RenameNote(title=note.title, **to), replace(held, title=note.title)
    if gone := [tag for tag in tags if tag not in note.tags]:
        return commands.UntagNote(tag=gone[0], **to), replace(held, tags=tuple(tag for tag in tags if tag != gone[0]))
    if new := [tag for tag in note.tags if tag not in tags]:
        return commands.TagNote(tag=new[0], **to), replace(held, tags=(*tags, new[0]))
    return None, held


def settle(link: Link, outcome: Outcome, *, force: bool) -> tuple[Entry, bool]:
    """Return the entry after a command's outcome, and whether the file may need another link; else this is its answer.

    It may if the command was accepted, if an earlier attempt was decided, or if the other kind of command is needed.
    """
    assert link.entry.pending is not None
    entry = replace(link.entry, command_id=link.command_id, pending=None)
    code = outcome.error.code if outcome.error else None
    if outcome.status == "accepted":
        content = link.entry.pending.attempts.get(outcome.digest or "", Content())
        return replace(entry, version=outcome.version, exists=True, **asdict(content)), True
    if code == Code.NOTE_NOT_FOUND:
        return Entry(command_id=link.command_id), True
    earlier = outcome.digest not in (None, digest_of(link.command))
    if code == Code.NOTE_ALREADY_EXISTS:
        return replace(entry, exists=True), earlier or force
    return entry, earlier
