"""Which scope a request needs: one table a service, from path to scope. What is not in it is closed."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path

OPEN: Final = ""
"""In the place of a scope: anybody may ask, without a token."""
OPEN_PATHS: Final = (
    "/livez",
    "/readyz",
    "/metrics",  # where tokens are asked for, only the ops listener has it
    "/docs",
    "/docs/assets",
    "/docs/assets/{file:path}",
    "/openapi.json",
    "/asyncapi",
    "/asyncapi.json",
)
"""What is open on every service."""

_BEARER: Final = "bearer"
_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the issuer that is set; its scopes are in `scope` or `scp`.",
}


class Scopes:
    """The table. `paths` are written as routes are, `/notes/{note_id}`, and each has one scope for all its methods.

    OPEN_PATHS are in every table.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self.paths = paths = {**paths, **dict.fromkeys(OPEN_PATHS, OPEN)}
        self._exact = {path: scope for path, scope in paths.items() if "{" not in path}
        self._patterns: list[tuple[re.Pattern[str], str]] = [
            (compile_path(path)[0], scope) for path, scope in paths.items() if "{" in path
        ]
        for path, scope in self._exact.items():
            if any(pattern.match(path) and other != scope for pattern, other in self._patterns):
                raise ValueError(f"{path} has two scopes")

    def needed(self, path: str) -> str | None:
        """Return the scope that a request for this path needs, OPEN for none, None if the path is not known."""
        found = self._exact.get(path)
        if found is not None:
            return found
        for pattern, scope in self._patterns:
            if pattern.match(path):
                return scope
        return None

    def check(self, routes: Iterable[BaseRoute]) -> None:
        """Raise ValueError unless all of these routes are in the table: a new one is not open by oversight."""
        paths = {context.path for context in iter_route_contexts(list(routes))}
        if missing := sorted(str(path) for path in paths - self.paths.keys()):
            raise ValueError(f"routes without a scope: {', '.join(missing)}")

    def document(self, openapi: dict[str, Any], problems: Mapping[int | str, Any], *, optional: bool) -> None:
        """Say in an OpenAPI document what each operation needs. `optional`: it is not asked for.

        `problems` are the answers 401 and 403, by status.
        """
        openapi.setdefault("components", {})["securitySchemes"] = {_BEARER: _SCHEME}
        for path, operations in openapi["paths"].items():
            scope = self.paths[path]
            for operation in operations.values():
                operation["security"] = []
                if scope is not OPEN:
                    operation["security"] = [*([{}] if optional else []), {_BEARER: [scope]}]
                    operation["responses"] |= {str(status): shown for status, shown in problems.items()}
