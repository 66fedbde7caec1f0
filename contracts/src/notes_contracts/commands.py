"""Commands: what upstream asks for. A field nobody knows makes a command invalid."""

from pydantic import BaseModel, ConfigDict

from notes_contracts.fields import Author, Body, Tag, Tags, Title
from notes_contracts.ids import Id


class Command(BaseModel):
    """What every command has: the note it is about."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    note_id: Id


class Change(Command):
    """A command on a note that exists.

    `expected_version`: the version the sender has seen; another one is a `version_conflict`. Null: not checked.
    """

    expected_version: int | None = None


class CreateNote(Command):
    """Create a note. `tags` are lower-cased, without repeats, in the order given."""

    title: Title
    body: Body = ""
    tags: Tags = ()
    author: Author | None = None


class UpdateNote(Change):
    """Replace the body of a note."""

    body: Body


class RenameNote(Change):
    """Replace the title of a note."""

    title: Title


class TagNote(Change):
    """Add a tag to a note, behind those it has."""

    tag: Tag


class UntagNote(Change):
    """Take a tag off a note."""

    tag: Tag


class ArchiveNote(Change):
    """Put a note away: it can be read, restored and deleted, and not be changed."""


class RestoreNote(Change):
    """Bring an archived note back."""


class DeleteNote(Change):
    """Delete a note for ever: its content is gone, its id is never used again."""
