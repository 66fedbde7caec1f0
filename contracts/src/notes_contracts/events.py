"""Events: what happened to a note. A reader ignores a field it does not know."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from notes_contracts.ids import Id
from notes_contracts.times import Timestamp


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
    tags: Annotated[tuple[str, ...], Field(strict=False)]
    author: str | None


class NoteUpdated(Event):
    """The body was replaced."""

    body: str
