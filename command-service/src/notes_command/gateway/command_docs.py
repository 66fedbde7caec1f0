"""What OpenAPI says of `POST /commands/<name>`, for each name."""

from typing import Any, Final

from notes_command.gateway.documented import (
    BODY_CODES,
    IDEMPOTENCY_KEY,
    PREFER,
    TRACE,
    answer,
    documented,
    header,
    problems,
)
from notes_command.gateway.schemas import Taken, reference
from notes_contracts import (
    ArchiveNote,
    Change,
    Code,
    Command,
    CreateNote,
    DeleteNote,
    Outcome,
    RestoreNote,
    TagNote,
    command_name,
    outcome_type,
)
from notes_contracts.examples import COMMAND_ID, EXAMPLES, NOTE_ID, example_data

_ALWAYS: Final = (*BODY_CODES, Code.NOTE_DELETED, Code.INVALID, Code.IDEMPOTENCY_KEY_REUSED, Code.UNAVAILABLE)
_ARCHIVED_TOO: Final = (CreateNote, ArchiveNote, RestoreNote, DeleteNote)
_TYPES: Final = {type(message): ce_type for ce_type, message in EXAMPLES.items() if isinstance(message, Command)}

_LINKS: Final = {
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
}


def _codes(model: type[Command]) -> tuple[Code, ...]:
    """Return what a command of this type can be answered with: the rules of the decision, and what HTTP adds."""
    codes = [*_ALWAYS]
    codes += [Code.NOTE_NOT_FOUND, Code.VERSION_CONFLICT] if issubclass(model, Change) else [Code.NOTE_ALREADY_EXISTS]
    if not issubclass(model, _ARCHIVED_TOO):
        codes.append(Code.NOTE_ARCHIVED)
    if issubclass(model, CreateNote | TagNote):
        codes.append(Code.TOO_MANY_TAGS)
    return tuple(codes)


def command_documentation(model: type[Command]) -> dict[str, Any]:
    """Return the arguments of the route that takes commands of this type."""
    ce_type = _TYPES[model]
    name = command_name(ce_type)
    summary = name.replace("-", " ").capitalize()
    decided = answer(
        200, "Accepted: the outcome, with `Prefer: wait`.", reference(Outcome), example_data(outcome_type("accepted"))
    )
    location = header("Where the outcome will be.", {"type": "string"}, f"/commands/{COMMAND_ID}")
    taken = answer(
        202,
        "Kafka has the command; it is not decided yet.",
        reference(Taken),
        {"command_id": COMMAND_ID, "note_id": NOTE_ID},
    )
    responses = decided | taken | problems(*_codes(model))
    for status in (200, 202):
        responses[status] |= {"headers": {"Location": location}, "links": _LINKS}
    body = {
        "required": True,
        "description": f"The data of {ce_type}. A field nobody knows is invalid.",
        "content": {"application/json": {"schema": reference(model), "example": example_data(ce_type)}},
    }
    return documented(name.replace("-", "_"), summary, responses, [IDEMPOTENCY_KEY, PREFER, TRACE], body)
