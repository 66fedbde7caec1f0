"""Routes around FastAPI's solving of dependencies, which costs as much as reading a note; documented all the same."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from notes_contracts import Code
from notes_query.http.problems import documented_problems
from notes_query.reads.parameters import IF_NONE_MATCH, Query, documented


def add_get(
    router: APIRouter,
    path: str,
    endpoint: Callable[[Request], Awaitable[Response]],
    *,
    operation_id: str,
    summary: str,
    query: type[Query],
    path_id: str | None = None,
    answer: type[BaseModel],
    example: Mapping[str, Any],
    headers: Sequence[str] = (),
    conditional: bool = False,
    problems: Sequence[Code],
) -> None:
    """Route `GET path` to `endpoint`, which reads the request itself; its docstring is the description.

    `headers`: which of DOCUMENTED_HEADERS a good answer has. `conditional`: whether `If-None-Match` is read, and
    answered with 304.
    """
    good = {
        "model": answer,
        "description": "OK",
        "content": {"application/json": {"example": dict(example)}},
        "headers": {name: DOCUMENTED_HEADERS[name] for name in headers},
    }
    responses: dict[int | str, dict[str, Any]] = {200: good, **documented_problems(*problems)}
    if conditional:
        responses[304] = {**NOT_MODIFIED, "headers": good["headers"]}
    if "Consistency" in headers:
        # Also of a note that is not there: its first version may be the one that is missing.
        for status in responses.keys() & {404, 410}:
            responses[status] = {**responses[status], "headers": {"Consistency": DOCUMENTED_HEADERS["Consistency"]}}
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
        openapi_extra=documented(query, path_id, [IF_NONE_MATCH] if conditional else ()),
    )


NOT_MODIFIED: Final = {"description": "Not Modified: `If-None-Match` names the present version."}
DOCUMENTED_HEADERS: Mapping[str, dict[str, Any]] = {
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
