"""An issuer of tokens for development and tests: it believes whoever reaches it. Never let others reach it."""

import base64
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tools.issuer.issuer import ALGORITHMS, LASTS_S, SCOPES, Issuer, Login, RequestError

SECRET: Final = "for-development"  # noqa: S105 - of every client: only this machine reaches the issuer
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Log in</title>
<body style="font-family: sans-serif; max-width: 30em; margin: 3em auto">
<h1>Who are you?</h1><p>This issuer is for development: it believes you.</p>
<form method="post">{hidden}<p><label>Name <input name="name" required maxlength="200" autofocus></label></p>
{scopes}<p><button>Log in</button></p></form></body></html>"""
_HIDDEN: Final = '<input type="hidden" name="{}" value="{}">'
_BOX: Final = '<p><label><input type="checkbox" name="scope" value="{0}" {1}> {0}</label></p>'
_KEPT: Final = ("client_id", "redirect_uri", "state", "code_challenge", "nonce")


class Endpoints:
    """What is asked over HTTP."""

    def __init__(self, issuer: Issuer, lasts_s: int, clients: Iterable[tuple[str, str]] = ()) -> None:
        self.issuer, self.lasts_s, self.clients = issuer, lasts_s, list(clients)

    async def metadata(self, _: Request) -> Response:
        """Tell where everything is (OpenID Connect Discovery 1.0)."""
        url = self.issuer.url
        paths = {"authorization": "authorize", "token": "token", "end_session": "logout"}
        places = {f"{name}_endpoint": f"{url}/{path}" for name, path in paths.items()}
        lists = {
            "scopes": SCOPES,
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "code_challenge_methods": ["S256"],
            "subject_types": ["public"],
            "id_token_signing_alg_values": list(ALGORITHMS),
            "token_endpoint_auth_methods": ["client_secret_basic", "client_secret_post", "none"],
        }
        supported = {f"{name}_supported": values for name, values in lists.items()}
        return JSONResponse({"issuer": url, "jwks_uri": f"{url}/keys", **places, **supported})

    async def keys(self, _: Request) -> Response:
        """Show the public keys."""
        return JSONResponse({"keys": [key.jwk for key in self.issuer.keys]})

    async def rotate(self, request: Request) -> Response:
        """Make a new key: `alg` (RS256), and `keep`, how many earlier ones are shown (1)."""
        algorithm, keep = request.query_params.get("alg", "RS256"), request.query_params.get("keep", "1")
        if algorithm not in ALGORITHMS or not keep.isdecimal():
            raise RequestError("invalid_request", 400)
        self.issuer.rotate(algorithm, int(keep))
        return await self.keys(request)

    async def end_sessions(self, _: Request) -> Response:
        """Let nobody renew a token."""
        self.issuer.sessions.clear()
        return Response(status_code=204)

    async def login(self, request: Request) -> Response:
        """Ask for a name and scopes."""
        asked = request.query_params
        if (asked.get("response_type"), asked.get("code_challenge_method")) != ("code", "S256"):
            raise RequestError("invalid_request", 400)
        self._check_way_back(asked)
        scopes = asked.get("scope", "").split() or SCOPES
        hidden = "".join(_HIDDEN.format(name, escape(asked.get(name, ""))) for name in _KEPT)
        boxes = "".join(_BOX.format(scope, "checked" * (scope in scopes)) for scope in SCOPES)
        return HTMLResponse(_PAGE.format(hidden=hidden, scopes=boxes))

    async def logged_in(self, request: Request) -> Response:
        """Send the browser back with a code."""
        form = await _form(request)
        back, name = form.get("redirect_uri", ""), form.get("name", "").strip()
        self._check_way_back(form)
        if not name or not form.get("scope"):
            raise RequestError("invalid_request", 400)
        client, challenge = form.get("client_id") or "web", form.get("code_challenge", "")
        login = Login(name, form["scope"], client, back, challenge, form.get("nonce", ""))
        answer = urlencode({"code": self.issuer.log_in(login), "state": form.get("state", "")})
        return RedirectResponse(f"{back}{'&' if urlsplit(back).query else '?'}{answer}", 303)

    async def logout(self, request: Request) -> Response:
        """End the sessions of a person, and send the browser back (OpenID Connect RP-Initiated Logout 1.0)."""
        asked = request.query_params
        client = self.issuer.log_out(asked.get("id_token_hint", ""))
        back = urlsplit(asked.get("post_logout_redirect_uri", ""))
        known = {urlsplit(uri)[:2] for name, uri in self.clients if name == client}
        if (known and back[:2] not in known) or back.scheme != "http" or back.hostname not in LOOPBACK:
            raise RequestError("invalid_request", 400)
        return RedirectResponse(back.geturl(), 303)

    def _check_way_back(self, asked: Mapping[str, str]) -> None:
        """Raise RequestError unless it is the client's own, and of this machine: nobody else gets a code."""
        client, back = asked.get("client_id", ""), asked.get("redirect_uri", "")
        known = {uri for name, uri in self.clients if name == client}
        parts = urlsplit(back)
        if (known and back not in known) or parts.scheme != "http" or parts.hostname not in LOOPBACK:
            raise RequestError("invalid_request", 400)

    async def token(self, request: Request) -> Response:
        """Give a token for client credentials, a code, or a refresh token.

        `lasts` (seconds) and `subject` are ours, for tests.
        """
        form = await _form(request)
        lasts = form.get("lasts", str(self.lasts_s))
        if not lasts.isdecimal():
            raise RequestError("invalid_request", 400)
        if form.get("grant_type") == "authorization_code":
            asked = [form.get(name, "") for name in ("code", "redirect_uri", "code_verifier")]
            login = self.issuer.redeem(*asked)
            return JSONResponse(self.issuer.session(login, int(lasts)))
        if form.get("grant_type") == "refresh_token":
            return JSONResponse(self.issuer.session(self.issuer.renew(form.get("refresh_token", "")), int(lasts)))
        if form.get("grant_type") != "client_credentials":
            raise RequestError("unsupported_grant_type", 400)
        client_id, secret = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        if not client_id or secret != SECRET:
            raise RequestError("invalid_client", 401)
        subject = form.get("subject") or client_id
        return JSONResponse(self.issuer.token(subject, client_id, form.get("scope", ""), int(lasts)))


async def _form(request: Request) -> dict[str, str]:
    """Return what a form says; the values of a field that is there more than once are joined by spaces."""
    return {name: " ".join(values) for name, values in parse_qs((await request.body()).decode()).items()}


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value).decode().partition(":")
    except ValueError:
        raise RequestError("invalid_client", 401) from None
    return unquote_plus(name), unquote_plus(secret)


async def _refused(_: Request, error: Exception) -> Response:
    code, status = error.args
    return JSONResponse({"error": code}, status)


def create_issuer(url: str, lasts_s: int = LASTS_S, clients: Iterable[tuple[str, str]] = ()) -> Starlette:
    """Return the issuer that is reached at this address of this machine; its tokens last so long unless asked.

    `clients`: names and redirect URIs; a client that is not among them may be sent back to any place of this machine.
    """
    ends = Endpoints(Issuer(url), lasts_s, clients)
    routes = [
        Route("/.well-known/openid-configuration", ends.metadata),
        Route("/keys", ends.keys),
        Route("/readyz", ends.keys),
        Route("/rotate", ends.rotate, methods=["POST"]),
        Route("/end-sessions", ends.end_sessions, methods=["POST"]),
        Route("/authorize", ends.login),
        Route("/authorize", ends.logged_in, methods=["POST"]),
        Route("/logout", ends.logout),
        Route("/token", ends.token, methods=["POST"]),
    ]
    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK)),
        Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"]),
    ]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={RequestError: _refused})
