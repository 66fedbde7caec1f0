"""The answer to a command, by command id. It is written once: an outcome that comes again says the same."""

from datetime import datetime
from typing import Final, TypedDict

from notes_contracts import Outcome, parse_time
from notes_query.projections.read_model import ASCENDING, Index, Kept

KEPT_S: Final = 30 * 24 * 60 * 60


class ErrorDocument(TypedDict):
    """Why a command was not accepted."""

    code: str
    message: str


class OutcomeDocument(TypedDict):
    """An outcome as it is stored; `_id` is the command id."""

    _id: str
    note_id: str | None
    status: str
    version: int | None
    error: ErrorDocument | None
    at: datetime
    digest: str | None


KEPT: Final = Kept(
    collection="outcomes",
    indexes=(Index("expiry", (("at", ASCENDING),), expire_after_s=KEPT_S),),
)


def document_of(outcome: Outcome) -> OutcomeDocument:
    """Return the document of an outcome."""
    error = outcome.error
    return OutcomeDocument(
        _id=outcome.command_id,
        note_id=outcome.note_id,
        status=outcome.status,
        version=outcome.version,
        error=None if error is None else ErrorDocument(code=error.code, message=error.message),
        at=parse_time(outcome.at),
        digest=outcome.digest,
    )
