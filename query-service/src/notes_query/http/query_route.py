"""How a query is asked over HTTP: its parameters, and a route that reads them quickly."""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any, Final, get_type_hints

from fastapi import Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, WithJsonSchema
from pydantic_core import to_json
from starlette.routing import request_response

from notes_chassis.http.problems import invalid
from notes_chassis.http.queries import DECIMAL, WHOLE, QueryModel, query_of
from notes_contracts import format_time, parse_id
from notes_contracts.examples import COMMAND_ID, NOTE_ID
from notes_contracts.ids import UUID_PATTERN
from notes_query.http.problems import documented_problems

DEFAULT_WAIT_S: Final = 2.0
MAX_WAIT_S: Final = 10.0
Wait = Annotated[
    float,
    Field(ge=0, allow_inf_nan=False, description="Seconds to wait at most; capped at 10.", examples=[0.5]),
    DECIMAL,
]
UUID_SCHEMA: Final = MappingProxyType({"type": "string", "format": "uuid", "pattern": UUID_PATTERN})
NoteId = Annotated[
    str,
    WithJsonSchema({**UUID_SCHEMA, "examples": [NOTE_ID]}),
    Path(description="The note. A UUID with dashes, in any case."),
]
CommandId = Annotated[
    str,
    WithJsonSchema({**UUID_SCHEMA, "examples": [COMMAND_ID]}),
    Path(description="The command. A UUID with dashes, in any case."),
]
Limit = Annotated[int, Field(ge=1, le=200, description="Items on a page.", examples=[20]), WHOLE]

CURSOR: Final = "`next_cursor` of the page before; the other parameters stay the same."
VERSION_MAX: Final = 2**63 - 1
"""What a store has for a version."""
LagSeconds = Callable[[], float | None]
"""Gives the present lag of a projector in seconds, None while it is not known. Asked on every request: never waits."""

_ENTITY_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
_NOT_MODIFIED: Final = {"description": "Not Modified: `If-None-Match` names what is there now."}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of what the client has, or several; if one is still the present one: 304.",
    "schema": {"type": "string"},
    "example": '"3"',
}
_HEADERS: Mapping[str, dict[str, Any]] = {
    "ETag": {
        "description": "In quotes: the version of a note or a body, a digest of the rest. Weak if compressed.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "Consistency": {
        "description": (
            "With `after` or `min_version`: `current` (that is in what was read) or `stale` (not yet). Of one note "
            "also `write-store` (read from where it was written), and always `parked` when a version is missing here, "
            "and later ones wait for it."
        ),
        "schema": {"type": "string", "enum": ["current", "stale", "write-store", "parked"]},
        "example": "current",
    },
    "Cache-Control": {
        "description": "Always `no-cache`: ask before it is used again, with `If-None-Match` where there is an `ETag`.",
        "schema": {"type": "string", "const": "no-cache"},
        "example": "no-cache",
    },
    "Projection-Lag": {
        "description": "Seconds by which what is shown may be behind what was written; not there if that is not known.",
        "schema": {"type": "string", "pattern": r"^\d+\.\d$"},
        "example": "0.0",
    },
}


class QueryRoute(APIRoute):
    """A route whose endpoint takes the ids of its path, a `query` of a model of its own, and the `request` if it likes.

    The signature is what FastAPI documents. The parameters are read here, since FastAPI's way of solving them costs
    more than 15 % of a request for one document (docs/performance.md). For the same reason Starlette calls the handler:
    FastAPI would open two exit stacks for dependencies that there are not.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        if HTTPStatus.NOT_MODIFIED in (named.get("responses") or {}):
            named["openapi_extra"] = {"parameters": [_IF_NONE_MATCH]}
        super().__init__(*args, **named)
        self.app = request_response(self.get_route_handler())

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what reads the parameters and calls the endpoint. Raises Refusal when it is called."""
        endpoint, ids = self.endpoint, tuple(self.param_convertors)
        types = get_type_hints(endpoint)
        model: type[QueryModel] = types["query"]

        async def handle(request: Request) -> Response:
            given: dict[str, Any] = {name: id_of(request.path_params[name], name) for name in ids}
            given["query"] = query_of(request, model)
            if "request" in types:
                given["request"] = request
            response: Response = await endpoint(**given)
            return response

        return handle


def answers(
    example: Mapping[str, Any], headers: Sequence[str], problems: Sequence[str]
) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI of a route's answers. `headers`: which of _HEADERS a good one has; with `ETag`, also 304."""
    good = {
        "description": "OK",
        "content": {"application/json": {"example": dict(example)}},
        "headers": {name: _HEADERS[name] for name in headers},
    }
    responses: dict[int | str, dict[str, Any]] = {200: good, **documented_problems(*problems)}
    if "ETag" in headers:
        responses[304] = {**_NOT_MODIFIED, "headers": good["headers"]}
    if "Consistency" in headers:
        # An unknown note has it, too: its first version may be the missing one.
        for status in responses.keys() & {404, 410}:
            responses[status] = {**responses[status], "headers": {"Consistency": _HEADERS["Consistency"]}}
    return responses


def id_of(text: str, name: str) -> str:
    """Return an id in lower case. Raises Refusal if it is not a UUID with dashes."""
    found = parse_id(text)
    if found is None:
        raise invalid([(name, "is not a UUID with dashes")])
    return found


def matches(if_none_match: Sequence[str], etag: str) -> bool:
    """Return whether a line of `If-None-Match` names this strong entity tag, by the weak comparison of RFC 9110."""
    return any(line.strip() == "*" or etag[1:-1] in _ENTITY_TAG.findall(line) for line in if_none_match)


def tagged(request: Request, etag: str, headers: Mapping[str, str], content: Callable[[], bytes]) -> Response:
    """Return the answer with this strong entity tag: 304 if the client has it, else what `content` returns."""
    # `Vary` is always sent: a 304 has the headers of the 200 (RFC 9110, 15.4.5), which may be compressed.
    headers = {**headers, "ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if matches(request.headers.getlist("if-none-match"), etag):
        return Response(None, 304, headers)
    return Response(content(), 200, headers, "application/json")


def digested(request: Request, body: Any, headers: Mapping[str, str]) -> Response:
    """Return the answer with an entity tag made from its content: what is put together has no version."""
    content = to_json(body)
    return tagged(request, f'"{blake2b(content, digest_size=12).hexdigest()}"', headers, lambda: content)


def lag_header(lag: LagSeconds) -> dict[str, str]:
    """Return the header `Projection-Lag`: the seconds by which documents may be behind. No header if not known."""
    seconds = lag()
    return {} if seconds is None else {"Projection-Lag": f"{max(seconds, 0.0):.1f}"}


def shown_as(model: type[BaseModel], document: Mapping[str, Any], id_: str = "id") -> dict[str, Any]:
    """Return the fields of the model out of a document: its `_id` under the name `id_`, times as text."""
    found = {name: document["_id" if name == id_ else name] for name in model.model_fields}
    return {name: format_time(value) if isinstance(value, datetime) else value for name, value in found.items()}
