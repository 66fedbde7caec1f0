"""Browsers: the origins whose pages may call the service, and what the service's own pages may load."""

import base64
import hashlib
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator
from pydantic_settings import NoDecode
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from notes_chassis.http.problems import problem_response

REMEMBERED_S: Final = 600
"""How long a browser may keep the answer to a preflight."""
_METHODS: Final = ("GET", "HEAD", "POST")
_ASKED_WITH: Final = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Prefer", "traceparent",
    "tracestate",
)  # fmt: skip
_SHOWN: Final = (
    "Consistency", "ETag", "Location", "Notes-After", "Projection-Lag", "Retry-After", "WWW-Authenticate",
)  # fmt: skip
_PORTS: Final = {"http": 80, "https": 443}
_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def _origins(given: object) -> object:
    if not isinstance(given, str):
        return given
    return tuple(dict.fromkeys(_origin(text.strip()) for text in given.split(",") if text.strip()))


def _origin(text: str) -> str:
    """Return an origin as browsers write it. `*` is refused: any page that a user opens could call the service."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in text or parts.path.strip("/") or parts.query:
        raise ValueError("origins such as https://notes.example.com are expected, separated by commas")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in {None, _PORTS[parts.scheme]} else f":{port}")


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)]
"""A setting that holds origins, separated by commas."""


class _Cors(CORSMiddleware):
    """Refuses a preflight with a problem document: Starlette's own answer is plain text."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the answer; `detail` names what is not allowed."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == HTTPStatus.OK:
            return answer
        ours = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return problem_response(answer.status_code, "bad_request", bytes(answer.body).decode(), ours)


def with_cors(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """Return the app with CORS for pages of these origins. Tokens are sent in a header; cookies are never used."""
    if not origins:
        return app
    return _Cors(app, origins, _METHODS, _ASKED_WITH, expose_headers=_SHOWN, max_age=REMEMBERED_S)


def page_headers(page: str) -> dict[str, str]:
    """Return the headers of a page: it loads only from this service, and runs only its own scripts."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page):
        hashes[kind].append(f" 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
    return strict_headers(
        {
            "default-src": "'none'",
            "script-src": "'self'" + "".join(hashes["script"]),
            # Swagger UI sets style attributes, which no hash can allow.
            "style-src": "'self'" + ("".join(hashes["style"]) or " 'unsafe-inline'"),
            "img-src": "'self' data:",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
    )


def strict_headers(policy: Mapping[str, str]) -> dict[str, str]:
    """Return the security headers of a page; `policy` is its Content-Security-Policy by directive."""
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
