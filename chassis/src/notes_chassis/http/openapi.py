"""What OpenAPI documents say beside what FastAPI knows: errors by code, bodies that routes read, examples."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from notes_chassis.http.limits import ARRIVE_S, BODY_BYTES
from notes_chassis.http.problems import MEDIA_TYPE, RETRY_AFTER_S, RETRY_LATER, problem_document

Responses = dict[int | str, dict[str, Any]]
_REFERENCE: Final = "#/components/schemas/{model}"


class FieldError(BaseModel):
    """What is wrong with one field or parameter."""

    field: str
    message: str


def header(description: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    """Return the OpenAPI of a header."""
    return {"description": description, "schema": schema, "example": example}


RETRY_AFTER: Final = header("Seconds after which to try again.", {"type": "integer", "minimum": 0}, RETRY_AFTER_S)
_CHALLENGE: Final = header("What is missing, as RFC 6750 says.", {"type": "string"}, 'Bearer realm="notes"')
_HEADERS: Final = {
    **{status: {"WWW-Authenticate": _CHALLENGE} for status in (401, 403)},
    **{status: {"Retry-After": RETRY_AFTER} for status in RETRY_LATER},
}


EXAMPLES: Final[Mapping[Any, tuple[str, Mapping[str, Any]]]] = {
    "invalid_cursor": ("the cursor is not one that this service has given out", {}),
    "too_large": (f"the body is larger than {BODY_BYTES} bytes", {}),
    "unsupported_media_type": ("a body is application/json", {}),
    "request_timeout": (f"the body did not arrive within {ARRIVE_S:g} s", {}),
    "unauthenticated": ("a bearer token is needed", {}),
}
"""Details and further members of what the chassis itself answers, by code."""


class ProblemDocs:
    """Documents errors by their codes, as a schema `Problem` that the service has to give.

    `statuses`: by code. `examples`: details and further members, by code, beside EXAMPLES.
    """

    def __init__(self, statuses: Mapping[Any, int], examples: Mapping[Any, tuple[str, Mapping[str, Any]]]) -> None:
        self._statuses = statuses
        self._examples = {**EXAMPLES, **examples}

    def __call__(self, *codes: str) -> Responses:
        """Return the OpenAPI of a route's errors, by status, with an example of each code."""
        by_status: dict[int, list[str]] = {}
        for code in codes:
            by_status.setdefault(self._statuses[code], []).append(str(code))
        return {status: self._problem(HTTPStatus(status), found) for status, found in sorted(by_status.items())}

    def _problem(self, status: HTTPStatus, codes: Sequence[str]) -> dict[str, Any]:
        only = {"type": "object", "properties": {"code": {"enum": codes}}}
        schema = {"allOf": [{"$ref": _REFERENCE.format(model="Problem")}, only]}
        examples = {}
        for code in codes:
            detail, members = self._examples[code]
            examples[code] = {"summary": detail, "value": problem_document(status.value, code, detail, members)}
        said = {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}}}
        return said if status not in _HEADERS else {**said, "headers": _HEADERS[status]}


def shown(status: int, example: Any, media_type: str = "application/json", **more: Any) -> Responses:
    """Return an answer with its example; its schema is that of the route's response model. `more`: headers, links."""
    return {status: {"content": {media_type: {"example": example}}, **more}}


def json_body(model: type[BaseModel], description: str, example: Any) -> dict[str, Any]:
    """Return what documents the body of a route that reads it itself, within limits."""
    content = {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}, "example": example}
    return {"requestBody": {"required": True, "description": description, "content": {"application/json": content}}}


def schemas_of(*models: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of models that FastAPI cannot know, and those that they need, by name."""
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def restore_examples(document: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Put the examples back as the routes have them: FastAPI takes every null out, also where one is required."""
    for route in routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            shown = document["paths"][route.path_format][method.lower()]
            for status, response in route.responses.items():
                _restore(shown["responses"][str(status)], response)
            _restore(shown.get("requestBody", {}), (route.openapi_extra or {}).get("requestBody", {}))


def _restore(shown: dict[str, Any], said: dict[str, Any]) -> None:
    for media_type, content in said.get("content", {}).items():
        examples = {name: content[name] for name in ("example", "examples") if name in content}
        shown["content"][media_type] |= examples


def tidy_parameters(document: dict[str, Any]) -> None:
    """Give every parameter of a document its example, and its schema without null: over HTTP it is there or not."""
    operations = (operation for methods in document["paths"].values() for operation in methods.values())
    for parameter in (parameter for operation in operations for parameter in operation.get("parameters", ())):
        schema = parameter["schema"]
        for choice in schema.pop("anyOf", ()):
            schema |= choice if choice.get("type") != "null" else {}
        for said_twice in ("title", "description"):
            schema.pop(said_twice, None)
        if examples := schema.pop("examples", None):
            parameter["example"] = examples[0]
