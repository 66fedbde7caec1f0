"""`/docs`: Swagger UI out of an installed package. Nothing is loaded from elsewhere: it works offline."""

from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

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

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return page

    app.mount(f"/{ASSETS}", StaticFiles(packages=[("fastapi_offline", "static")]))
