"""One example of every problem that HTTP answers with."""

from types import MappingProxyType
from typing import Any, Final

from notes_chassis.http.limits import ARRIVE_S, BODY_BYTES
from notes_command.gateway.problems import document
from notes_contracts import Code, outcome_type
from notes_contracts.examples import COMMAND_ID, NOTE_ID, example_data

_REJECTED: Final = {**example_data(outcome_type("rejected")), "note_id": NOTE_ID}


def _decided(code: Code, message: str) -> tuple[str, dict[str, Any]]:
    """Return the sentence and the members of an answer that a rule gave, with the outcome that says so."""
    return message, {"outcome": {**_REJECTED, "error": {"code": code.value, "message": message}}}


_TITLE: Final = "String should have at least 1 character"
_EXAMPLES: Final = MappingProxyType[Code, tuple[str, dict[str, Any]]](
    {
        Code.INVALID: (f"title: {_TITLE}", {"errors": [{"field": "title", "message": _TITLE}]}),
        Code.NOTE_ALREADY_EXISTS: _decided(Code.NOTE_ALREADY_EXISTS, f"there is a note {NOTE_ID} already"),
        Code.NOTE_NOT_FOUND: (f"there is no note {NOTE_ID}", {}),
        Code.NOTE_ARCHIVED: _decided(Code.NOTE_ARCHIVED, f"note {NOTE_ID} is archived"),
        Code.NOTE_DELETED: (f"note {NOTE_ID} was deleted", {}),
        Code.TOO_MANY_TAGS: _decided(Code.TOO_MANY_TAGS, "a note has at most 20 tags"),
        Code.VERSION_CONFLICT: _decided(Code.VERSION_CONFLICT, f"note {NOTE_ID} is at version 3, not 1"),
        Code.INTERNAL: ("this is our fault; it was logged", {}),
        Code.IDEMPOTENCY_KEY_REUSED: (
            "this Idempotency-Key was used for another command; its outcome stands",
            {"outcome": example_data(outcome_type("accepted"))},
        ),
        Code.COMMAND_NOT_FOUND: (f"no outcome of command {COMMAND_ID} is known", {}),
        Code.TOO_LARGE: (f"the body is larger than {BODY_BYTES} bytes", {}),
        Code.UNSUPPORTED_MEDIA_TYPE: ("a body is application/json", {}),
        Code.REQUEST_TIMEOUT: (f"the body did not arrive within {ARRIVE_S:g} s", {}),
        Code.UNAVAILABLE: ("the store is not available; try again", {}),
        Code.TOO_MANY_REQUESTS: ("at most 20 snapshots a second", {}),
    }
)


def example_problem(code: Code) -> dict[str, Any]:
    """Return the problem document to show for a code."""
    detail, extra = _EXAMPLES[code]
    return document(code, detail, extra)
