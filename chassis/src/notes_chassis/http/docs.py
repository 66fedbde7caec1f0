"""What describes a service: `/docs` (Swagger UI from an installed package), and `/asyncapi`.

Nothing is loaded from elsewhere: it works offline.
"""

from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from pydantic_core import to_json

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
