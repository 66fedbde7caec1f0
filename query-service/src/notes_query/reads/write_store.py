"""One note as command-service has it."""

import asyncio
from typing import Annotated, Final, Literal

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from notes_contracts import parse_time
from notes_contracts.times import Timestamp
from notes_query.errors import WriteStoreUnavailable
from notes_query.projections.note import digest_of
from notes_query.reads.served import View

log = structlog.get_logger(__name__)

_DELETED: Final[View] = {"status": "deleted"}


class WrittenNote(BaseModel):
    """What `GET /notes/{id}` of command-service answers; more fields than these are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    id: str
    title: str
    body: str
    tags: list[str]
    author: str | None
    status: Literal["active", "archived"]
    version: Annotated[int, Field(ge=1)]
    created_at: Timestamp
    updated_at: Timestamp


class _NotForCaller(WriteStoreUnavailable):
    """command-service refused this caller, which does not mean that it is unavailable."""


class WriteStore:
    """Reads notes from command-service, which decides what a note is."""

    def __init__(self, client: httpx.AsyncClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._answers = True

    async def view(self, note_id: str, authorization: str | None = None) -> View | None:
        """Return the note as it is there, if the caller may read it; of a deleted note only the status.

        Raises WriteStoreUnavailable.
        """
        try:
            found = await self._asked(note_id, authorization)
        except _NotForCaller:
            raise
        except WriteStoreUnavailable as error:
            # It is logged once, not for every reader.
            if self._answers:
                log.warning("the write store does not answer", reason=str(error))
            self._answers = False
            raise
        if not self._answers:
            log.info("the write store answers again")
        self._answers = True
        return found

    async def _asked(self, note_id: str, authorization: str | None) -> View | None:
        named = {} if authorization is None else {"Authorization": authorization}
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.get(f"/notes/{note_id}", headers=named)
        except (httpx.HTTPError, TimeoutError) as error:
            # The error's text is left out: it may quote what the other side has sent.
            raise WriteStoreUnavailable(f"command-service: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.NOT_FOUND and _code(answer) == "note_not_found":
            return None
        if answer.status_code == httpx.codes.GONE:
            return _DELETED
        if answer.status_code != httpx.codes.OK:
            of_caller = answer.is_client_error and answer.status_code != httpx.codes.NOT_FOUND
            kind = _NotForCaller if of_caller else WriteStoreUnavailable
            raise kind(f"command-service answered {answer.status_code}")
        try:
            return _view(WrittenNote.model_validate_json(answer.content))
        except ValidationError as error:
            raise WriteStoreUnavailable("command-service answered with something that is not a note") from error


def _view(note: WrittenNote) -> View:
    preview, word_count = digest_of(note.body)
    counted = {"_id": note.id, "preview": preview, "word_count": word_count}
    times = {"created_at": parse_time(note.created_at), "updated_at": parse_time(note.updated_at)}
    return note.model_dump(exclude={"id", "body"}) | counted | times


def _code(answer: httpx.Response) -> object:
    """Return the problem's code. A 404 without a code does not come from command-service."""
    try:
        body = answer.json()
    except ValueError:
        return None
    return body.get("code") if isinstance(body, dict) else None
