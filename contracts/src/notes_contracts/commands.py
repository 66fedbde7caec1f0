"""Commands: what upstream asks for. A field nobody knows makes a command invalid."""

from pydantic import BaseModel, ConfigDict

from notes_contracts.fields import Author, Body, Tags, Title
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
