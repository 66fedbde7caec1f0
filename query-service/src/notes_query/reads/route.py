"""The way of a query over HTTP: ids in the path, parameters, validators, and a route that is documented by its types.

The routes go around FastAPI's solving of dependencies, which costs as much as reading a note; they are documented
all the same, from the models that read the request and describe the answer.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from notes_chassis.http.limits import ERRORS
from notes_contracts import Code, format_time, parse_id
from notes_contracts.examples import COMMAND_ID, NOTE_ID
from notes_contracts.ids import UUID_PATTERN
from notes_query.http.problems import InvalidRequest, documented_problems


def _digits(text: str) -> str:
    # pydantic takes `1.0`, `+1`, ` 1` and `1_0` for numbers, too.
    if not (text.isascii() and text.isdecimal()):
        raise PydanticCustomError("int_parsing", "Input should be a whole number, in digits")
    return text


WHOLE: Final = BeforeValidator(_digits)
Wait = Annotated[
    float, Field(ge=0, allow_inf_nan=False, description="Seconds to wait at most; capped at 10.", examples=[0.5])
]
Limit = Annotated[int, Field(ge=1, le=200, description="Items on a page.", examples=[20]), WHOLE]

CURSOR: Final = "`next_cursor` of the page before; the other parameters stay the same."
VERSION_MAX: Final = 2**63 - 1
"""What a store has for a version."""
LagSeconds = Callable[[], float | None]
"""Gives the present lag of a projector in seconds, None while it is not known. Asked on every request: never waits."""

_ENTITY_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
_SHOWN: Final = 60
_IDS: Final = MappingProxyType({"note_id": ("The note.", NOTE_ID), "command_id": ("The command.", COMMAND_ID)})
_IF_NONE_MATCH: Final = MappingProxyType[str, Any](
    {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The `ETag` of what the client has, or several; if it is still the present one: 304.",
        "schema": {"type": "string"},
        "example": '"3"',
    }
)
_NOT_MODIFIED: Final = {"description": "Not Modified: `If-None-Match` names the present version."}
_HEADERS: Mapping[str, dict[str, Any]] = {
    "ETag": {"description": "The note's version, in quotes.", "schema": {"type": "string"}, "example": '"3"'},
    "Consistency": {
        "description": (
            "With `min_version`: `current` (at that version), `stale` (not yet) or `write-store` (read from where it "
            "was written). Always `parked` when a version is missing here, and later ones wait for it."
        ),
        "schema": {"type": "string", "enum": ["current", "stale", "write-store", "parked"]},
        "example": "current",
    },
    "Cache-Control": {
        "description": "Always `no-cache`: keep it, but ask with `If-None-Match` before it is used.",
        "schema": {"type": "string", "const": "no-cache"},
        "example": "no-cache",
    },
    "Projection-Lag": {
        "description": "Seconds by which what is shown may be behind what was written; not there if that is not known.",
        "schema": {"type": "string", "pattern": r"^\d+\.\d$"},
        "example": "0.0",
    },
}


class Query(BaseModel):
    """A query. What is not known is refused: a filter that is passed over would show what nobody asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def route(
    path: str,
    endpoint: Callable[[Request], Awaitable[Response]],
    *,
    tag: str,
    operation_id: str,
    summary: str,
    query: type[Query],
    path_id: str | None = None,
    answer: type[BaseModel],
    example: Mapping[str, Any],
    headers: Sequence[str] = (),
    conditional: bool = False,
    problems: Sequence[Code],
) -> APIRouter:
    """Return a router of `GET path` to `endpoint`, which reads the request itself; its docstring is the description.

    `headers`: which of _HEADERS a good answer has. `conditional`: whether `If-None-Match` is read, and
    answered with 304.
    """
    good = {
        "model": answer,
        "description": "OK",
        "content": {"application/json": {"example": dict(example)}},
        "headers": {name: _HEADERS[name] for name in headers},
    }
    responses: dict[int | str, dict[str, Any]] = {200: good, **documented_problems(*problems)}
    if conditional:
        responses[304] = {**_NOT_MODIFIED, "headers": good["headers"]}
    if "Consistency" in headers:
        # Also of a note that is not there: its first version may be the one that is missing.
        for status in responses.keys() & {404, 410}:
            responses[status] = {**responses[status], "headers": {"Consistency": _HEADERS["Consistency"]}}
    router = APIRouter(tags=[tag])
    router.add_route(path, endpoint, methods=["GET"], include_in_schema=False)
    # Never reached, since the one before it is found first: it is there for the documentation.
    router.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        operation_id=operation_id,
        summary=summary,
        response_class=Response,
        responses=responses,
        openapi_extra=_documented(query, path_id, [_IF_NONE_MATCH] if conditional else ()),
    )
    return router


QueryModel = TypeVar("QueryModel", bound=Query)


def query_of(request: Request, model: type[QueryModel]) -> QueryModel:
    """Return the parameters. Raises InvalidRequest naming those that are there more than once, unknown, or at fault."""
    try:
        return model.model_validate(_each_once(request, model) if request.scope["query_string"] else {})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest([(str(item["loc"][0]), item["msg"]) for item in found]) from error


def _each_once(request: Request, model: type[Query]) -> dict[str, str]:
    sent = request.query_params
    parameters = dict(sent)
    if len(parameters) < len(items := sent.multi_items()):
        repeated = (name for name, times in Counter(name for name, _ in items).items() if times > 1)
        raise InvalidRequest([(name[:_SHOWN], "is there more than once") for name in islice(repeated, ERRORS)])
    if unknown := [*islice((name for name in parameters if name not in model.model_fields), ERRORS)]:
        raise InvalidRequest([(name[:_SHOWN], "is no parameter of this request") for name in unknown])
    return parameters


def id_of(text: str, name: str) -> str:
    """Return an id in lower case. Raises InvalidRequest if it is no dashed UUID."""
    found = parse_id(text)
    if found is None:
        raise InvalidRequest([(name, "is no UUID with dashes")])
    return found


def matches(if_none_match: Sequence[str], etag: str) -> bool:
    """Say whether a line of `If-None-Match` names this strong entity tag, by the weak comparison of RFC 9110."""
    return any(line.strip() == "*" or etag[1:-1] in _ENTITY_TAG.findall(line) for line in if_none_match)


def lag_header(lag: LagSeconds) -> dict[str, str]:
    """Return the header `Projection-Lag`, by how many seconds what is shown may be behind; none if not known."""
    seconds = lag()
    return {} if seconds is None else {"Projection-Lag": f"{max(seconds, 0.0):.1f}"}


def shown(moment: datetime | None) -> str | None:
    """Return a time as it is sent; None stays None."""
    return None if moment is None else format_time(moment)


def _documented(
    model: type[Query], path: str | None = None, headers: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the OpenAPI of a query that is read by `query_of`, of an id in the path, a key of _IDS, and of headers."""
    schema = model.model_json_schema()
    required = schema.get("required", ())
    query = [_parameter(name, field, required=name in required) for name, field in schema["properties"].items()]
    ids = [] if path is None else [_id(path)]
    return {"parameters": [*ids, *query, *map(dict, headers)]}


def _id(name: str) -> dict[str, Any]:
    what, example = _IDS[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"{what} A UUID with dashes, in any case.",
        "schema": {"type": "string", "format": "uuid", "pattern": UUID_PATTERN},
        "example": example,
    }


def _parameter(name: str, field: dict[str, Any], *, required: bool) -> dict[str, Any]:
    shown = {key: value for key, value in field.items() if key not in ("title", "description", "examples", "anyOf")}
    # None is how "not there" reads in Python; over HTTP a parameter is there or is not.
    for choice in field.get("anyOf", ()):
        if choice.get("type") != "null":
            shown |= choice
    if shown.get("default", ...) is None:
        del shown["default"]
    (example,) = field["examples"]
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": field["description"],
        "schema": shown,
        "example": example,
    }
