"""The head of a request, its target and headers: why it is refused, and what is left without an offer to upgrade."""

from collections.abc import Iterator
from typing import Final

from starlette.types import ASGIApp

from notes_chassis.http.limits import REFUSED, HttpLimits
from notes_chassis.http.problems import problem_response

Headers = list[tuple[bytes, bytes]]
_UPGRADE: Final = (b"upgrade", b"http2-settings")


def refusal_of(target: bytes, headers: Headers, version: str, limits: HttpLimits) -> ASGIApp | None:
    """Return the answer that refuses a request because of its head, or None. `version`: of HTTP."""
    if len(target) > limits.http_target_bytes:
        REFUSED.labels("target").inc()
        return problem_response(414, "too_large", f"more than {limits.http_target_bytes} bytes of path and query")
    size = hosts = 0
    for name, value in headers:
        size += len(name) + len(value)
        hosts += name == b"host"
    if hosts != 1 and (hosts or version != "1.0"):
        REFUSED.labels("malformed").inc()
        return problem_response(400, "bad_request", "one header Host is needed (RFC 9112, 3.2)")
    if size > limits.http_header_bytes:
        REFUSED.labels("headers").inc()
        return problem_response(431, "too_large", f"more than {limits.http_header_bytes} bytes of headers")
    return None


def head_without_upgrade(method: bytes, target: bytes, version: str, headers: Headers) -> bytes:
    """Return the bytes of a head without its offer of another protocol."""
    line = b"%s %s HTTP/%s\r\n" % (method, target, version.encode())
    return b"".join([line, *_without_upgrade(headers), b"\r\n"])


def _without_upgrade(headers: Headers) -> Iterator[bytes]:
    for name, value in headers:
        if name == b"connection":
            tokens = [token for token in value.split(b",") if token.strip().lower() not in _UPGRADE]
            yield b"connection: %s\r\n" % b",".join(tokens)
        elif name not in _UPGRADE:
            yield b"%s: %s\r\n" % (name, value)
