"""Lets requests pass that come with a token of the scope that they need (RFC 6750)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi.routing import iter_route_contexts
from prometheus_client import Counter
from starlette.routing import BaseRoute, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from notes_chassis.access.tokens import Caller, InvalidToken, KeysMissing, Tokens
from notes_chassis.http.problems import Refusal

CALLER: Final = "notes.caller"
"""The key of a request's state that says who asks. It is not there where nobody was asked for a token. In the scope
itself it would be the 22nd key, for which Python makes every request's dict anew: 1 µs."""
REALM: Final = 'Bearer realm="notes"'
REFUSED: Final = Counter("notes_access_refused_total", "Requests refused for want of a token or scope", ["reason"])
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
    """A service's table from path, written as in routes, to one scope for all methods. What is not in it is closed."""

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
        """Say in an OpenAPI document what each operation needs. `problems`: 401 and 403. `optional`: none is asked."""
        openapi.setdefault("components", {})["securitySchemes"] = {_BEARER: _SCHEME}
        for path, operations in openapi["paths"].items():
            scope = self.paths[path]
            for operation in operations.values():
                operation["security"] = []
                if scope is not OPEN:
                    operation["security"] = [*([{}] if optional else []), {_BEARER: [scope]}]
                    operation["responses"] |= {str(status): shown for status, shown in problems.items()}


def caller_of(scope: Scope) -> Caller | None:
    """Return who asks, None where nobody was asked for a token."""
    found: Caller | None = scope.get("state", {}).get(CALLER)
    return found


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the token of a request. Raises Refusal `unauthenticated` where there is none, or more than one."""
    found: bytes | None = None
    for name, value in headers:
        if name == b"authorization":
            if found is not None:
                raise _unauthenticated("invalid_token", "the header Authorization is there more than once")
            found = value
    if found is None or found[:7].lower() != b"bearer ":
        raise _unauthenticated(None, "a bearer token is needed")
    return found[7:].strip(b" ")


class Guard:
    """ASGI middleware, around the routes. What is no path of the table is answered here: 404 with a token, else 401."""

    def __init__(self, app: ASGIApp, scopes: Scopes, tokens: Tokens) -> None:
        self._app = app
        self._needed, self._tokens = scopes.needed, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "lifespan" and (needed := self._needed(scope["path"])) != OPEN:
            try:
                token = bearer_token(scope["headers"])
                caller = self._tokens.cached(token) or await self._verified(token)
                _check(caller, needed)
            except Refusal as refusal:
                await refusal.response()(scope, receive, send)
                return
            scope.setdefault("state", {})[CALLER] = caller
        await self._app(scope, receive, send)

    async def _verified(self, token: bytes) -> Caller:
        try:
            return await self._tokens.verify(token)
        except InvalidToken as error:
            raise _unauthenticated("invalid_token", str(error)) from error
        except KeysMissing as error:
            REFUSED.labels("no_keys").inc()
            late = "the issuer's keys could not be read yet, so that no token can be checked; try again"
            raise Refusal(503, "unavailable", late) from error


def _unauthenticated(error: str | None, detail: str) -> Refusal:
    REFUSED.labels(error or "no_token").inc()
    said = "" if error is None else f', error="{error}", error_description="{detail}"'
    return Refusal(401, "unauthenticated", detail, {"WWW-Authenticate": REALM + said})


def _check(caller: Caller, needed: str | None) -> None:
    if needed is None:
        raise Refusal(404, "not_found", "there is nothing at this address")
    if needed not in caller.scopes:
        REFUSED.labels("insufficient_scope").inc()
        detail = f"the token does not have the scope {needed}"
        said = f'{REALM}, error="insufficient_scope", error_description="{detail}", scope="{needed}"'
        raise Refusal(403, "forbidden", detail, {"WWW-Authenticate": said})
