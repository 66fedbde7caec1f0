"""What describes a service: `/docs` (Swagger UI from an installed package), OpenAPI's examples, and `/asyncapi`.

Nothing is loaded from elsewhere: it works offline.
"""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from pydantic_core import to_json
from starlette.routing import BaseRoute

from notes_chassis.http.browsers import page_headers

ASSETS: Final = "docs/assets"


def add_docs(app: FastAPI) -> None:
    """Add the page and its files. Addresses are relative, so that it works behind a prefix, too."""
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

    app.mount(f"/{ASSETS}", StaticFiles(packages=[("fastapi_offline", "static")]))


def asyncapi_routes(document: dict[str, Any], page: str) -> APIRouter:
    """Return the routes of an AsyncAPI document: `/asyncapi` is a page for a browser and JSON for everybody else.

    Not FastStream's own routes: its page has a POST without authentication that swaps the live producer.
    """
    body, router = to_json(document), APIRouter(tags=["operations"])
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
