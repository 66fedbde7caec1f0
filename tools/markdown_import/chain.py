"""The chain of commands of one path: every content arrives, and no run that was killed has two effects.

**Ids.** A new command's id is uuid5(id of the path's last command, hash of the content). Content A, B, A, B
gives four different ids, since each contains the ones before, and the same road always gives the same ids.
The first command of a path follows on uuid5(note id, lineage). The lineage is drawn once for a state file.
Without it, a lost state file would begin the chain anew with ids that were used before, and they would be
answered with old outcomes: "accepted", while the note meanwhile holds something else.

**Killed at any point.** The id is written to the state file, durably, as pending before the command is
published, and leaves it only with its outcome. Before the write nothing was sent. After it the next run sends
under the same id, so the write side does it once and repeats the first outcome.

**Content that changed between kill and repetition.** The present content is sent under the pending id: if the
earlier one had arrived, nothing happens, and the outcome's digest says that it was the earlier one that was
decided. Every attempt under the id is in the state file by its digest, so the accepted content is known, and
the present one follows as the next link. If the earlier one had not arrived, the present content is what
counts.

**No.** A rejected or failed command is a link of the chain, too: the next run tries the file again under a
new id. A note that is not there, although an outcome had said so, is created again at once.

**Nobody's change is overwritten.** An update carries the last version this importer saw accepted; if somebody
else has changed the note since, it is a `version_conflict`, reported. `--force` leaves the version out. A
note that is there although the state file does not know it (the file was lost, or somebody else uses the same
namespace) may hold anything, so `note_already_exists` is reported as well; with `--force` its body is
replaced by an update-note, the next link.
"""

from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from notes_contracts import Code, Command, CreateNote, Outcome, UpdateNote, digest_of
from tools.markdown_import.entry import Attempt, Entry, Kind, Pending
from tools.markdown_import.note_file import NoteFile

_UNKNOWN = Attempt(content_hash="")
"""What somebody else sent under an id of ours."""


@dataclass(frozen=True, slots=True)
class Link:
    """The next command of a path, and the entry that must be kept before it is sent."""

    command_id: str
    command: Command
    digest: str
    entry: Entry


def next_link(entry: Entry, note: NoteFile, note_id: str, *, lineage: UUID, force: bool) -> Link | None:
    """Return what is to be sent for the file, or None if the note holds it already.

    Raises pydantic's ValidationError for a note that the contract does not allow.
    """
    if entry.pending is None and entry.content_hash == note.content_hash:
        return None
    pending = entry.pending or _pending(entry, note, note_id, lineage=lineage, force=force)
    command: Command
    if pending.kind == "create":
        command = CreateNote(note_id=note_id, title=note.title, body=note.body, tags=note.tags)
        attempt = Attempt(note.content_hash, note.title, note.tags)
    else:
        expected = None if force else entry.version
        command = UpdateNote(note_id=note_id, body=note.body, expected_version=expected)
        attempt = Attempt(note.content_hash)
    digest = digest_of(command)
    kept = replace(pending, attempts={**pending.attempts, digest: attempt})
    return Link(pending.command_id, command, digest, replace(entry, pending=kept))


def _pending(entry: Entry, note: NoteFile, note_id: str, *, lineage: UUID, force: bool) -> Pending:
    known = entry.version is not None or (force and entry.exists)
    kind: Kind = "update" if known else "create"
    last = UUID(entry.command_id) if entry.command_id else uuid5(UUID(note_id), str(lineage))
    return Pending(str(uuid5(last, note.content_hash)), kind, {})


def settle(entry: Entry, outcome: Outcome) -> Entry:
    """Return the entry after the outcome of its pending command."""
    pending = entry.pending
    assert pending is not None
    settled = replace(entry, command_id=pending.command_id, pending=None)
    if outcome.status == "accepted":
        decided = pending.attempts.get(outcome.digest or "", _UNKNOWN)
        content_hash = decided.content_hash or None
        settled = replace(settled, content_hash=content_hash, version=outcome.version, exists=True)
        if pending.kind == "create":
            return replace(settled, title=decided.title, tags=decided.tags)
        return settled
    code = outcome.error.code if outcome.error else None
    if code == Code.NOTE_NOT_FOUND:
        return Entry(command_id=pending.command_id)
    if code == Code.NOTE_ALREADY_EXISTS:
        return replace(settled, exists=True)
    return settled


def goes_on(outcome: Outcome, digest: str, *, force: bool) -> bool:
    """Tell whether another link must follow at once, `digest` being that of what was sent.

    It must if an earlier attempt was decided and not this one, or if the other kind of command is what is
    needed.
    """
    if outcome.digest is not None and outcome.digest != digest:
        return True
    code = outcome.error.code if outcome.error else None
    return code == Code.NOTE_NOT_FOUND or (force and code == Code.NOTE_ALREADY_EXISTS)
