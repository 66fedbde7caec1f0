"""Lets requests pass that come with a token of the scope that they need (RFC 6750)."""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from notes_chassis.access.scopes import OPEN, Scopes
from notes_chassis.access.tokens import Caller, InvalidToken, KeysMissing, Tokens
from notes_chassis.http.body import Places
from notes_chassis.http.problems import Refusal

CALLER: Final = "notes.caller"
"""The key of a request's state that says who asks. It is not there where nobody was asked for a token. In the scope
itself it would be the 22nd key, for which Python makes every request's dict anew: 1 µs."""
REALM: Final = 'Bearer realm="notes"'
REFUSED: Final = Counter("notes_access_refused_total", "Requests refused for want of a token or scope", ["reason"])
_SCHEME: Final = b"bearer "


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
    if found is None or found[:7].lower() != _SCHEME:
        raise _unauthenticated(None, "a bearer token is needed")
    return found[7:].strip(b" ")


class Guard:
    """ASGI middleware, around the routes. What is no path of the table is answered here: 404 with a token, else 401."""

    def __init__(self, app: ASGIApp, scopes: Scopes, tokens: Tokens) -> None:
        self._app = app
        self._needed: Callable[[str], str | None] = scopes.needed
        self._tokens = tokens
        self._waiting = Places()
        """Of those who name an unknown key: while the issuer hangs, they wait for it, and nobody else does."""

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
            return await self._tokens.verify(token, self._waiting.one)
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
