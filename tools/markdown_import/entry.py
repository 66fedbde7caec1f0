"""What the state file knows of one path."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

Kind = Literal["create", "update"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was sent under a command id: the hash of the body; of a create-note also title and tags."""

    content_hash: str
    title: str | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A command that may have been sent and whose outcome is not known; its attempts by their digest."""

    command_id: str
    kind: Kind
    attempts: dict[str, Attempt]


@dataclass(frozen=True, slots=True)
class Entry:
    """The road of one path so far.

    `command_id`: the last command that got an outcome. `content_hash`, `version`: of the last accepted one;
    null: not known. `title`, `tags`: as the note was created by us. `exists`: a note with this id is there,
    whoever made it. `pending`: the command under way.
    """

    command_id: str | None = None
    content_hash: str | None = None
    version: Annotated[int, Field(ge=1)] | None = None
    title: str | None = None
    tags: tuple[str, ...] | None = None
    exists: bool = False
    pending: Pending | None = None


ENTRY = TypeAdapter(Entry)
