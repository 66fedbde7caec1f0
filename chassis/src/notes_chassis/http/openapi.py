"""What FastAPI leaves out of its OpenAPI document."""

from collections.abc import Iterable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute


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
