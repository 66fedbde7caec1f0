"""Errors as application/problem+json (RFC 9457), each with a stable code, and their OpenAPI."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

import structlog
from fastapi import Request, Response
from pydantic import BaseModel
from starlette.types import ExceptionHandler

from notes_chassis.http.body import BODY_CODES
from notes_chassis.http.dead_letters import EXAMPLE as DEAD_LETTER
from notes_chassis.http.openapi import FieldError, ProblemDocs, header, json_body, shown
from notes_chassis.http.problems import Refusal, invalid
from notes_command.errors import StoreError, Unavailable
from notes_contracts import (
    COMMANDS,
    HTTP_STATUS,
    ArchiveNote,
    Change,
    Code,
    Command,
    CreateNote,
    DeleteNote,
    Outcome,
    RestoreNote,
    TagNote,
    outcome_type,
)
from notes_contracts.examples import COMMAND_ID, NOTE_ID, TRACEPARENT, example_data
from notes_contracts.ids import UUID_PATTERN, Id
from notes_contracts.validation import InvalidData, NotJson, validate

log = structlog.get_logger()

Model = TypeVar("Model", bound=BaseModel)

_TEXT: Final = {"type": "string"}
UUID: Final = {"type": "string", "format": "uuid", "pattern": UUID_PATTERN}
DASHED: Final = "A UUID with dashes, in any case."


class HeldBack(BaseModel):
    """A dead letter that is not sent back unless it is forced, and why."""

    id: str
    note_id: Id | None
    reason: str


class Problem(BaseModel):
    """RFC 9457. `code` is stable: branch on it.

    `errors` names every field at fault, if the code is `invalid`; `outcome` is that of the command, if there is one;
    `known` are the names of commands, if the one asked for is none; `command_id` is the key to repeat a command with.
    `ids` are the first dead letters of those that are not there, `held` of those that were held back.
    """

    type: Literal["about:blank"]
    title: str
    status: int
    code: Code
    detail: str
    errors: list[FieldError] = []
    outcome: Outcome | None = None
    known: list[str] = []
    command_id: Id | None = None
    ids: list[str] = []
    held: list[HeldBack] = []


def _decided(code: Code, message: str) -> tuple[str, dict[str, Any]]:
    """Return detail and members of the problem of a rejected command, with its outcome."""
    error = {"code": code.value, "message": message}
    return message, {"outcome": {**example_data(outcome_type("rejected")), "note_id": NOTE_ID, "error": error}}


_HELD: Final = f"note {NOTE_ID} has changed since, and is at version 3"
_TITLE: Final = "String should have at least 1 character"
problems: Final = ProblemDocs(
    HTTP_STATUS,
    {
        Code.INVALID: (f"title: {_TITLE}", {"errors": [{"field": "title", "message": _TITLE}]}),
        Code.NOTE_ALREADY_EXISTS: _decided(Code.NOTE_ALREADY_EXISTS, f"there is a note {NOTE_ID} already"),
        Code.NOTE_NOT_FOUND: (f"there is no note {NOTE_ID}", {}),
        Code.NOTE_ARCHIVED: _decided(Code.NOTE_ARCHIVED, f"note {NOTE_ID} is archived"),
        Code.NOTE_DELETED: (f"note {NOTE_ID} was deleted", {}),
        Code.TOO_MANY_TAGS: _decided(Code.TOO_MANY_TAGS, "a note has at most 20 tags"),
        Code.VERSION_CONFLICT: _decided(Code.VERSION_CONFLICT, f"note {NOTE_ID} is at version 3, not 1"),
        Code.IDEMPOTENCY_KEY_REUSED: (
            "this Idempotency-Key was used for another command; its outcome stands",
            {"outcome": example_data(outcome_type("accepted"))},
        ),
        Code.COMMAND_NOT_FOUND: (f"no outcome of command {COMMAND_ID} is known", {}),
        Code.DEAD_LETTER_NOT_FOUND: (f"there is no dead letter {DEAD_LETTER}", {"ids": [DEAD_LETTER]}),
        Code.DEAD_LETTERS_HELD: (
            "1 of these dead letters would be held back, so none was sent; `force` sends them all the same",
            {"held": [{"id": DEAD_LETTER, "note_id": NOTE_ID, "reason": _HELD}]},
        ),
        Code.UNAVAILABLE: ("the store is not available; try again", {}),
        Code.FORBIDDEN: ("the token does not have the scope notes.write", {}),
        Code.TOO_MANY_REQUESTS: ("at most 20 snapshots a second", {}),
    },
)
"""Makes the OpenAPI of a route's errors."""


def refusal(code: str, detail: str, **members: Any) -> Refusal:
    """Return the Refusal with the status of a code. `members`: members of the problem beside the standard ones.

    A newer release may have stored an outcome with a code that is not known here. Its status is 409, as of most codes.
    """
    return Refusal(HTTP_STATUS.get(code, 409), str(code), detail, members=members)


def read_json(model: type[Model], body: bytes) -> Model:
    """Return the model from the body of a request. Raises Refusal `invalid`, which names the wrong fields."""
    try:
        return validate(model, body)
    except NotJson as error:
        raise invalid([("body", str(error))]) from error
    except InvalidData as error:
        raise invalid((fault.field, fault.message) for fault in error.faults) from error


async def _store_away(_: Request, error: Exception) -> Response:
    # Only the text of Unavailable quotes nothing of a row.
    kind = str(error) if isinstance(error, Unavailable) else type(error).__name__
    log.warning("store unavailable", error=kind, often=True)
    return refusal(Code.UNAVAILABLE, "the store is not available; try again").response()


ANSWERS: Final[Mapping[type[Exception], ExceptionHandler]] = {StoreError: _store_away}
"""The handlers of errors that leave a route."""

_TYPES: Final = {model: ce_type for ce_type, model in COMMANDS.items()}
_ALWAYS: Final = (*BODY_CODES, Code.NOTE_DELETED, Code.INVALID, Code.IDEMPOTENCY_KEY_REUSED, Code.UNAVAILABLE)
_ARCHIVED_TOO: Final = (CreateNote, ArchiveNote, RestoreNote, DeleteNote)

_KEY: Final = (
    "The command id: send it again with a retry, and the command has its effect once. A UUID with dashes, in any case. "
    "Made if it is absent."
)
_PREFER: Final = "`wait=N` (RFC 7240): wait for the outcome, at most N seconds, capped at 30. Anything else is ignored."
# The route reads these headers from the request itself, so FastAPI does not document them.
_HEADERS: Final = [
    {"name": name, "in": "header", "required": False, **header(description, schema, example)}
    for name, description, schema, example in (
        ("Idempotency-Key", _KEY, UUID, COMMAND_ID),
        ("Prefer", _PREFER, _TEXT, "wait=5"),
        ("traceparent", "W3C trace context; passed on if it is valid.", _TEXT, TRACEPARENT),
    )
]
_FURTHER: Final[dict[str, Any]] = {
    "headers": {
        "Location": header("Where the outcome will be.", _TEXT, f"/commands/{COMMAND_ID}"),
        "Notes-After": header(
            "The command id. Pass it on as the parameter `after` of any query, to read what was written.",
            UUID,
            COMMAND_ID,
        ),
    },
    "links": {
        "outcome": {
            "operationId": "get_outcome",
            "parameters": {"command_id": "$response.body#/command_id"},
            "description": "What came of the command.",
        },
        "note": {
            "operationId": "read_note",
            "parameters": {"note_id": "$response.body#/note_id"},
            "description": "The note, once the command is decided.",
        },
    },
}


def command_documentation(model: type[Command]) -> dict[str, Any]:
    """Return the documentation of a command's route: the answers of rules and HTTP, with examples."""
    codes = [*_ALWAYS]
    codes += [Code.NOTE_NOT_FOUND, Code.VERSION_CONFLICT] if issubclass(model, Change) else [Code.NOTE_ALREADY_EXISTS]
    if not issubclass(model, _ARCHIVED_TOO):
        codes.append(Code.NOTE_ARCHIVED)
    if issubclass(model, CreateNote | TagNote):
        codes.append(Code.TOO_MANY_TAGS)
    accepted = "Accepted: the outcome, with `Prefer: wait`."
    responses = (
        shown(200, example_data(outcome_type("accepted")), description=accepted, model=Outcome, **_FURTHER)
        | shown(202, {"command_id": COMMAND_ID, "note_id": NOTE_ID}, **_FURTHER)
        | problems(*codes)
    )
    ce_type = _TYPES[model]
    body = json_body(model, f"The data of {ce_type}. A field nobody knows is invalid.", example_data(ce_type))
    return {"responses": responses, "openapi_extra": {"parameters": _HEADERS, **body}}
