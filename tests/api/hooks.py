"""What schemathesis loads beside its configuration: what no OpenAPI document can say."""

import json
import math
from typing import Any
from uuid import UUID, uuid5

import schemathesis

from notes_contracts import parse_id
from notes_contracts.examples import NOTE_ID

WAIT_S = 0.05
NO_NUL = r"^[^\x00]*$"
KEY = "Idempotency-Key"


@schemathesis.hook
def before_load_schema(_context: Any, raw_schema: Any) -> None:
    """Take out the pattern that excludes NUL: with a length of 100,000 it takes seconds to compile, each time."""
    for schema in raw_schema["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            for part in (field, *field.get("anyOf", ())):
                if part.get("pattern") == NO_NUL:
                    del part["pattern"]


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    _shorten_the_wait(case)
    _ask_for_notes_or_for_a_page(case)
    case.body = _what_a_schema_can_say(case.body)
    _keep_the_note_of_the_examples(case)
    _one_key_for_one_command(case)


def _shorten_the_wait(case: Any) -> None:
    """What never comes would be waited for to the cap, case after case."""
    query = case.query or {}
    try:
        seconds = float(query.get("wait", 0))
    except (TypeError, ValueError):
        return
    if math.isfinite(seconds) and seconds > WAIT_S:
        query["wait"] = WAIT_S


def _ask_for_notes_or_for_a_page(case: Any) -> None:
    """Notes that are named are answered at once: no schema can say that a page does not go with them."""
    query = case.query or {}
    if case.operation.path == "/notes" and "id" in query:
        for name in ("limit", "cursor"):
            query.pop(name, None)


def _one_key_for_one_command(case: Any) -> None:
    """A key that was used for another command is refused, which is right, and no failure of the data sent with it."""
    headers = case.headers or {}
    key = parse_id(str(headers.get(KEY)))
    if key is not None:
        headers[KEY] = str(uuid5(UUID(key), f"{case.operation.label} {json.dumps(case.body, default=str)}"))


def _keep_the_note_of_the_examples(case: Any) -> None:
    """Deleted, it would leave nothing to try the other commands on."""
    deletes = case.operation.path == "/commands/delete-note" and isinstance(case.body, dict)
    if deletes and case.body.get("note_id") == NOTE_ID:
        case.body["note_id"] = str(uuid5(UUID(NOTE_ID), "to delete"))


def _what_a_schema_can_say(body: Any) -> Any:
    """A title is trimmed before it is measured, which no schema can say; and no schema excludes NUL any more."""
    if not isinstance(body, dict):
        return body
    said = {name: value.replace("\0", "0") if isinstance(value, str) else value for name, value in body.items()}
    title = said.get("title")
    if isinstance(title, str) and title != title.strip():
        said["title"] = "".join("_" if letter.isspace() else letter for letter in title)
    return said
