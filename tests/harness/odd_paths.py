"""Paths that a table of scopes and a router might see differently."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI

from notes_chassis.access.guard import Scopes

METHODS = ("GET", "POST")


def odd_paths(paths: Iterable[str]) -> set[str]:
    """Return them and many that look like them, as a server hands them over: without their percent signs."""
    before = ("", "/", "//", "/.", "/livez/..", "/notes/..", "\n", " ", "\\", ".")
    files = ("/docs/assets/..", "/docs/assets")  # a route has whatever is below
    after = (
        "",
        "/",
        "//",
        "/.",
        "/..",
        "\n",
        "\r\n",
        "\0",
        "\x85",
        "\u2028",
        " ",
        ";x",
        "?x",
        "#",
        "%00",
        "%2F",
        ".json",
    )
    known = {path.replace("{", "").replace("}", "") for path in paths}
    odd = {f"{one}{path}{other}" for path in known for one in before for other in after}
    odd |= {f"{one}{path}" for path in known for one in files}
    odd |= {f"{one}{path}{other}" for path in sorted(known)[:3] for one in files for other in after}
    odd |= {change(path) for path in known for change in (str.upper, str.title, lambda path: path.replace("/", "//"))}
    odd |= {path.replace("/", "\\") for path in known} | {path.replace("/", "%2F") for path in known}
    return odd | {path.replace("/", "/\n") for path in known} | {"", "*", "/", "http://notes/admin"}


async def differently_seen(app: FastAPI, scopes: Scopes, token: bytes) -> list[tuple[str, str, Any]]:
    """Return method, path and route of each request that a route gets, though the table has another scope for it."""
    found = []
    for path in odd_paths(scopes.paths):
        needed = scopes.needed(path)
        if needed is None:
            continue
        for method in METHODS:
            route = await _routed(app, path, method, token)
            if route is not None and needed != scopes.paths[route]:
                found.append((method, path, route))
    return found


async def _routed(app: FastAPI, path: str, method: str, token: bytes) -> Any:
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "server": ("notes", 80),
        "client": ("127.0.0.1", 1), "headers": [(b"authorization", b"Bearer " + token)],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        pass

    await app(scope, receive, send)
    return getattr(scope.get("route"), "path", None)
