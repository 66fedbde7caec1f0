"""What a command does to a note. Written from the rules' words alone, so that it errs in no way that a service does."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import notes_contracts as contracts

MOST_TAGS: Final = 20

Fate = tuple[str, int | None, str | None]
"""Status, version and code of an outcome."""


class State(NamedTuple):
    """A note as it must be. `status`: active, archived or deleted."""

    version: int
    title: str
    body: str
    tags: tuple[str, ...]
    author: str | None
    status: str = "active"


def fate(outcome: Mapping[str, Any]) -> Fate:
    """Return what an outcome says."""
    return outcome["status"], outcome["version"], outcome.get("error") and outcome["error"]["code"]


def decide(notes: dict[str, State], command: contracts.Command) -> Fate:
    """Return the command's fate, and put what it makes of its note into `notes`."""
    before = notes.get(command.note_id)
    if code := _refusal(before, command):
        return "rejected", None, code
    if isinstance(command, contracts.CreateNote):
        after = State(0, command.title, command.body, command.tags, command.author)
    else:
        assert before is not None
        after = _changed(before, command)
    if after == before:
        return "accepted", before.version, None
    if len(after.tags) > MOST_TAGS:
        return "rejected", None, "too_many_tags"
    notes[command.note_id] = after._replace(version=after.version + 1)
    return "accepted", after.version + 1, None


def _refusal(note: State | None, command: contracts.Command) -> str | None:
    if note is None:
        return None if isinstance(command, contracts.CreateNote) else "note_not_found"
    if note.status == "deleted":
        return "note_deleted"
    if not isinstance(command, contracts.Change):
        return "note_already_exists"
    if command.expected_version not in (None, note.version):
        return "version_conflict"
    if note.status == "archived" and not isinstance(
        command, contracts.ArchiveNote | contracts.RestoreNote | contracts.DeleteNote
    ):
        return "note_archived"
    return None


def _changed(note: State, command: contracts.Command) -> State:  # noqa: PLR0911 - one for each kind
    match command:
        case contracts.UpdateNote():
            return note._replace(body=command.body)
        case contracts.RenameNote():
            return note._replace(title=command.title)
        case contracts.TagNote():
            return note if command.tag in note.tags else note._replace(tags=(*note.tags, command.tag))
        case contracts.UntagNote():
            return note._replace(tags=tuple(tag for tag in note.tags if tag != command.tag))
        case contracts.ArchiveNote():
            return note._replace(status="archived")
        case contracts.RestoreNote():
            return note._replace(status="active")
        case contracts.DeleteNote():
            return State(note.version, "", "", (), None, "deleted")
    raise TypeError(f"no rule for {type(command).__name__}")
