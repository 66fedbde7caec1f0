"""What our OpenAPI documents keep to beyond the standard. Each rule takes a document and says what is wrong."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

Json = dict[str, Any]
Rule = Callable[[Json], Iterator[str]]

PROBLEM = "application/problem+json"
_STABLE = re.compile(r"[a-z]+(_[a-z]+)*")
_ID = re.compile(r"(.*_)?id|Idempotency-Key")
_TIME = re.compile(r".*_at|at|since")
# The `id` of a server-sent event is the protocol's, and opaque.
_NOT_OURS = {"ServerSentEvent.id"}
# A dead letter is called by its place, a fork by note, version and event; an event of another program has any id. What
# is parked without a note has the name of its record's place.
_NO_UUID = {
    *("DeadLetter.id", "WholeDeadLetter.id", "Redriven.id", "RedrivenLetter.id", "HeldBack.id"),
    *("Fork.id", "Fork.event_id", "ParkedNote.note_id"),
}


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """Return every operation with a name for people: `GET /notes`."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def _responses(document: Json) -> Iterator[tuple[str, Json]]:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            yield f"{name} {status}", response


def _contents(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Return what is sent either way: a name, its media type, and what is said of it."""
    for name, response in _responses(document):
        for media_type, content in response.get("content", {}).items():
            yield f"{name} {media_type}", media_type, content
    for name, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} body", media_type, content


def an_operation_has_a_stable_id_of_its_own(document: Json) -> Iterator[str]:
    seen: set[str] = set()
    for name, operation in operations(document):
        found = operation.get("operationId", "")
        if not _STABLE.fullmatch(found) or found in seen:
            yield f"{name}: {found!r}"
        seen.add(found)


def an_operation_is_described(document: Json) -> Iterator[str]:
    for name, operation in operations(document):
        # FastAPI makes a summary of the function's name, which says nothing.
        made_up = operation.get("operationId", "").replace("_", " ").title()
        if not operation.get("description") or operation.get("summary", made_up) == made_up:
            yield name


def tags_are_declared(document: Json) -> Iterator[str]:
    declared = {tag["name"] for tag in document.get("tags", []) if tag.get("description")}
    for name, operation in operations(document):
        if not operation.get("tags") or set(operation["tags"]) - declared:
            yield f"{name}: {operation.get('tags')}"


def a_parameter_has_description_and_example(document: Json) -> Iterator[str]:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if not parameter.get("description") or not {"example", "examples"} & parameter.keys():
                yield f"{name}: {parameter['name']}"


def a_body_has_description_and_example(document: Json) -> Iterator[str]:
    for name, operation in operations(document):
        body = operation.get("requestBody", {"description": "none"})
        if not body.get("description"):
            yield name
    for name, _, content in _contents(document):
        if not {"example", "examples"} & content.keys():
            yield name


def a_response_is_described(document: Json) -> Iterator[str]:
    for name, response in _responses(document):
        empty = name.endswith((" 204", " 304"))
        if not response.get("description") or (not empty and not response.get("content")):
            yield name
        for header, shown in response.get("headers", {}).items():
            if not shown.get("description") or "schema" not in shown or not _examples(shown):
                yield f"{name}: {header}"


def _examples(shown: Json) -> list[Any]:
    named = [one["value"] for one in shown.get("examples", {}).values()]
    return [*named, *([shown["example"]] if "example" in shown else []), *shown.get("schema", {}).get("enum", [])[:1]]


def an_example_fits_its_schema(document: Json) -> Iterator[str]:
    shown = [(name, content) for name, _, content in _contents(document)]
    for name, operation in operations(document):
        shown += [(f"{name} {one['name']}", one) for one in operation.get("parameters", [])]
    for name, response in _responses(document):
        shown += [(f"{name} {header}", one) for header, one in response.get("headers", {}).items()]
    for name, one in shown:
        schema = {**one.get("schema", {}), "components": document.get("components", {})}
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        for example in _examples(one):
            yield from (f"{name}: {error.message}" for error in validator.iter_errors(example))


def a_problem_names_its_codes(document: Json) -> Iterator[str]:
    for name, media_type, content in _contents(document):
        if media_type == PROBLEM:
            shown = content.get("examples", {})
            if not shown or any(example["value"].get("code") != code for code, example in shown.items()):
                yield name


def an_error_is_a_problem(document: Json) -> Iterator[str]:
    for name, response in _responses(document):
        error = name.rsplit(" ", 1)[1] >= "400" and "/readyz" not in name  # its 503 names the parts
        if error and set(response.get("content", {})) != {PROBLEM}:
            yield name


def every_operation_can_fail_by_our_fault(document: Json) -> Iterator[str]:
    for name, operation in operations(document):
        if "500" not in operation["responses"]:
            yield name


def the_frameworks_own_error_is_not_shown(document: Json) -> Iterator[str]:
    yield from {"HTTPValidationError", "ValidationError"} & set(document.get("components", {}).get("schemas", {}))


def a_schema_is_a_component(document: Json) -> Iterator[str]:
    for name, _, content in _contents(document):
        if "properties" in content.get("schema", {}):
            yield name


def ids_and_times_have_their_formats(document: Json) -> Iterator[str]:
    found: list[tuple[str, str, Json]] = []
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        found += [(f"{name}.{field}", field, one) for field, one in schema.get("properties", {}).items()]
    for name, operation in operations(document):
        found += [(f"{name} {one['name']}", one["name"], one["schema"]) for one in operation.get("parameters", [])]
    for name, field, schema in found:
        formats = {one.get("format") for one in (schema, schema.get("items", {}), *schema.get("anyOf", []))}
        if _ID.fullmatch(field) and name not in _NOT_OURS | _NO_UUID and "uuid" not in formats:
            yield f"{name} is no uuid"
        if _TIME.fullmatch(field) and "date-time" not in formats:
            yield f"{name} is no date-time"


RULES: tuple[Rule, ...] = (
    an_operation_has_a_stable_id_of_its_own,
    an_operation_is_described,
    tags_are_declared,
    a_parameter_has_description_and_example,
    a_body_has_description_and_example,
    a_response_is_described,
    an_example_fits_its_schema,
    a_problem_names_its_codes,
    an_error_is_a_problem,
    every_operation_can_fail_by_our_fault,
    the_frameworks_own_error_is_not_shown,
    a_schema_is_a_component,
    ids_and_times_have_their_formats,
)
