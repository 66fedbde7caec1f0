"""Outcomes: the one answer to a command, sent again whenever the command comes again."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from notes_contracts.ids import Id
from notes_contracts.times import Timestamp

VERSION_MAX: Final = 2**63 - 1
"""What a store has for a version."""
Status = Literal["accepted", "rejected", "failed"]


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
