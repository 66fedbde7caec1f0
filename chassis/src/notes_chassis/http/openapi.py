"""Descriptions of a service: OpenAPI where FastAPI cannot know it, and the pages `/docs` and `/asyncapi`."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from pydantic_core import to_json
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from notes_chassis.http.browsers import page_headers
from notes_chassis.http.limits import ARRIVE_S, BODY_BYTES
from notes_chassis.http.problems import FAILED, MEDIA_TYPE, RETRY_AFTER_S, RETRY_LATER, problem_document

Responses = dict[int | str, dict[str, Any]]
_REFERENCE: Final = "#/components/schemas/{model}"

EXAMPLES: Final[Mapping[Any, tuple[str, Mapping[str, Any]]]] = {
    "invalid_cursor": ("the cursor is not one that this service has given out", {}),
    "too_large": (f"the body is larger than {BODY_BYTES} bytes", {}),
    "unsupported_media_type": ("a body is application/json", {}),
    "request_timeout": (f"the body did not arrive within {ARRIVE_S:g} s", {}),
    "internal": (FAILED, {}),
    "unauthenticated": ("a bearer token is needed", {}),
}
"""Details and further members of the chassis' own problems, by code."""
ASSETS: Final = "docs/assets"


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


class ProblemDocs:
    """Documents errors by their codes, with the schema `Problem`, which the service has to define.

    `statuses`: the HTTP status by code. `examples`: details and further members by code, beside EXAMPLES.
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
        response: dict[str, Any] = {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
        }
        if status in _HEADERS:
            response["headers"] = _HEADERS[status]
        return response


def shown(status: int, example: Any, media_type: str = "application/json", **more: Any) -> Responses:
    """Return the OpenAPI of an answer's example. The route's response model is its schema. `more`: headers, links."""
    return {status: {"content": {media_type: {"example": example}}, **more}}


def json_body(model: type[BaseModel], description: str, example: Any) -> dict[str, Any]:
    """Return the OpenAPI of a body that the route reads itself, within limits."""
    content = {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}, "example": example}
    return {"requestBody": {"required": True, "description": description, "content": {"application/json": content}}}


def schemas_of(*models: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of models that FastAPI cannot know, and of the models in them, by name."""
    _, document = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    schemas: dict[str, Any] = document["$defs"]
    return schemas


def restore_examples(document: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Restore the examples of the routes: FastAPI removes every null from them, even where it is required."""
    for route in routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            for status, response in route.responses.items():
                _restore(operation["responses"][str(status)], response)
            _restore(operation.get("requestBody", {}), (route.openapi_extra or {}).get("requestBody", {}))


def _restore(documented: dict[str, Any], original: dict[str, Any]) -> None:
    for media_type, content in original.get("content", {}).items():
        examples = {name: content[name] for name in ("example", "examples") if name in content}
        documented["content"][media_type] |= examples


def tidy_parameters(document: dict[str, Any]) -> None:
    """Give every parameter its example, and a schema without null: over HTTP a parameter is there or not."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                _tidy(parameter)


def _tidy(parameter: dict[str, Any]) -> None:
    schema = parameter["schema"]
    for choice in schema.pop("anyOf", ()):
        if choice.get("type") != "null":
            schema |= choice
    for repeated in ("title", "description"):
        schema.pop(repeated, None)
    if examples := schema.pop("examples", None):
        parameter["example"] = examples[0]


def add_docs(app: FastAPI) -> None:
    """Add the page `/docs` and its files, which work offline. Their addresses are relative, so that a prefix works."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
    )
    page.headers.update(page_headers(bytes(page.body).decode()))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return page

    app.mount(f"/{ASSETS}", WholeFiles(packages=[("fastapi_offline", "static")]))


class WholeFiles(StaticFiles):
    """Files that are always sent whole, as RFC 9110 allows: a compressed part of a file would be useless."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request without regard to its header `Range`."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


def asyncapi_routes(document: dict[str, Any], page: str) -> APIRouter:
    """Return the routes of an AsyncAPI document. `/asyncapi` is a page for browsers and JSON for other clients.

    FastStream's own page is not used: it has a POST without authentication that replaces the live producer.
    """
    body = to_json(document)
    router = APIRouter(tags=["operations"])
    example = {"asyncapi": document["asyncapi"], "info": document["info"], "channels": {}, "operations": {}}
    as_json = {"application/json": {"example": example}}
    as_page = {"text/html": {"schema": {"type": "string"}, "example": page[:15]}}

    @router.get(
        "/asyncapi",
        operation_id="describe_messages",
        summary="The topics, headers and messages",
        response_model=dict[str, Any],
        response_description="The document.",
        responses={200: {"content": as_json | as_page}},
    )
    async def describe_messages(request: Request) -> Response:
        """Describe every topic, header and message: a page if HTML is accepted, else the AsyncAPI document."""
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(page, headers=page_headers(page) | {"Vary": "Accept"})
        return Response(body, headers={"Vary": "Accept"}, media_type="application/json")

    @router.get(
        "/asyncapi.json",
        operation_id="get_asyncapi",
        summary="The AsyncAPI document",
        response_model=dict[str, Any],
        response_description="The document.",
        responses={200: {"content": as_json}},
    )
    async def get_asyncapi() -> Response:
        """Return the AsyncAPI 3.0 document of every topic, header and message."""
        return Response(body, media_type="application/json")

    return router
