"""What is answered: the files, the configuration, health."""

from pathlib import PurePosixPath
from typing import Final

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notes_chassis.http.answers import Answers, accepts_gzip
from notes_chassis.http.browsers import strict_headers
from notes_chassis.http.problems import answer_framework, problem_response
from notes_web.files import INDEX, File, Files, make_file
from notes_web.settings import Settings, origin_of

KEPT: Final = "public, max-age=31536000, immutable"
"""Of a path that names the content."""
ASKED_AGAIN: Final = "no-cache"
"""Of every other path: a browser may keep the answer, and asks each time whether it is still right."""


def make_app(settings: Settings, files: Files) -> ASGIApp:
    """Return the application. It holds everything that it will ever answer."""
    config = make_file("config.json", to_json(configuration(settings)))

    async def alive(_: Request) -> Response:
        return Response(b'{"ok":true}', media_type="application/json")

    async def ready(_: Request) -> Response:
        return Response(b'{"ready":true,"parts":{}}', media_type="application/json")

    async def configured(request: Request) -> Response:
        return _answer(request, config, ASKED_AGAIN)

    async def page(request: Request) -> Response:
        return _page(request, files)

    routes = [
        Route("/livez", alive),
        Route("/readyz", ready),
        Route("/config.json", configured),
        Route("/{path:path}", page),
    ]
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys((404, 405), answer_framework))
    return _WithHeaders(Answers(app), security_headers(settings))


def configuration(settings: Settings) -> dict[str, str | None]:
    """Return what the page is told; nothing of it is secret."""
    closed = settings.auth == "oidc"
    return {
        "command_url": settings.web_command_url,
        "query_url": settings.web_query_url,
        "auth": settings.auth,
        "oidc_issuer": settings.oidc_issuer if closed else None,
        "oidc_client_id": settings.web_client_id if closed else None,
        "oidc_scope": settings.web_scope if closed else None,
    }


def security_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every answer: scripts and styles from here alone, and no network but the named one."""
    addresses = [settings.web_command_url, settings.web_query_url]
    if settings.auth == "oidc" and settings.oidc_issuer is not None:
        addresses.append(settings.oidc_issuer)
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "worker-src": "'self'",
        "connect-src": " ".join(dict.fromkeys(["'self'", *map(origin_of, addresses)])),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return strict_headers(policy) | {"Cross-Origin-Resource-Policy": "same-origin"}


def _page(request: Request, files: Files) -> Response:
    path = request.path_params["path"]
    if path.startswith("static/"):
        _, digest, path = [*path.split("/", 2), "", ""][:3]
        # Of an instance of another release: the present file, which must not be kept under the other's name.
        kept = KEPT if digest == files.digest else ASKED_AGAIN
    else:
        kept = ASKED_AGAIN
        if not PurePosixPath(path).suffix:
            path = INDEX  # a deep link: the page itself finds what it names
    file = files.by_path.get(path)
    if file is None:
        return problem_response(404, "not_found", "there is no such file")
    return _answer(request, file, kept)


def _answer(request: Request, file: File, kept: str) -> Response:
    smaller = file.compressed if accepts_gzip(request.headers.getlist("accept-encoding")) else None
    tag = f'"{file.digest}"' if smaller is None else f'"{file.digest}-gzip"'
    headers = {"ETag": tag, "Cache-Control": kept, "Vary": "Accept-Encoding"}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = file.media_type
    if smaller is not None:
        headers["Content-Encoding"] = "gzip"
    return Response(file.content if smaller is None else smaller, headers=headers)


class _WithHeaders:
    """ASGI middleware: these headers are on every answer, refusals and bugs included."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app, self._headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, with_headers)
