"""Events and outcomes: what happened to a note, and the one answer to each command. Readers ignore unknown fields."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field

from notes_contracts.ids import Id
from notes_contracts.times import Timestamp

EVENT_TAGS_MAX: Final = 1_000
"""Tags of an event that are read: far more than a rule may ever allow, and far fewer than fit into a record."""
VERSION_MAX: Final = 2**63 - 1
"""What a store has for a version."""
Status = Literal["accepted", "rejected", "failed"]
TagSet = Annotated[tuple[str, ...], Field(strict=False, max_length=EVENT_TAGS_MAX), FailFast()]
"""All tags of the note, in the order in which they were added."""


class Event(BaseModel):
    """What every event has. A note's versions are dense: 1, 2, 3, …; `occurred_at` never goes back within a note."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    note_id: Id
    version: Annotated[int, Field(ge=1)]
    occurred_at: Timestamp


class NoteCreated(Event):
    """A note came into being, at version 1."""

    title: str
    body: str
    tags: TagSet
    author: str | None


class NoteUpdated(Event):
    """The body was replaced."""

    body: str


class NoteRenamed(Event):
    """The title was replaced."""

    title: str


class NoteTagged(Event):
    """A tag was added; `tags` is the whole set after the change."""

    tag: str
    tags: TagSet


class NoteUntagged(Event):
    """A tag was taken off; `tags` is the whole set after the change."""

    tag: str
    tags: TagSet


class NoteArchived(Event):
    """The note was put away."""


class NoteRestored(Event):
    """The note was brought back."""


class NoteDeleted(Event):
    """The note was deleted for ever."""


class NoteSnapshotted(Event):
    """The present state at the present version, for readers that missed something. Uses no version up.

    A reader takes it if its version is above the reader's, drops waiting events at or below it and goes on from there;
    else it ignores it. Its `ce_id` is uuid5(note id, `snapshot:<version>`), so that repeats are equal.
    """

    title: str
    body: str
    tags: TagSet
    author: str | None
    status: Literal["active", "archived", "deleted"]
    created_at: Timestamp
    updated_at: Timestamp


class OutcomeError(BaseModel):
    """Why a command was not accepted: a stable code, and a sentence for people.

    `code` is one of `Code`, but a reader takes any: a code that is new must not make the outcome unreadable.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    message: str


class Outcome(BaseModel):
    """The answer to one command.

    `status`: accepted; rejected by a rule; failed, which is ours or undecodable (the record is a dead letter, too).
    `version`: the note's after the command, if accepted. `at`: when it was decided.
    `digest`: `digest_of` of the command that was decided, null where there was none, so that a sender who reused
    an id can tell. `note_id`: null where neither the data nor the key held one.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    command_id: Id
    note_id: Id | None
    status: Status
    version: Annotated[int, Field(le=VERSION_MAX)] | None
    error: OutcomeError | None
    at: Timestamp
    digest: str | None
