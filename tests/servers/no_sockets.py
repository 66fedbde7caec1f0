"""A unit test that reaches for the network fails."""

import socket
from collections.abc import Iterator
from typing import NoReturn

import pytest


class SocketsAreOffError(AssertionError):
    """Raised inside a unit test that opens a connection or looks up a name."""


def refuse(*args: object, **_: object) -> NoReturn:
    raise SocketsAreOffError(f"unit tests use no network; this one reached for {args[1:] or args}")


def is_unit(folders: tuple[str, ...]) -> bool:
    """Tell whether tests in this folder are unit tests: a folder `unit` below `tests`, or any of the contracts'."""
    if "tests" not in folders:
        return False
    return folders[0] == "contracts" or "unit" in folders[folders.index("tests") :]


@pytest.fixture(autouse=True, scope="module")
def no_sockets_in_unit_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Take connections and name look-ups away from unit tests, once for all of a file."""
    with pytest.MonkeyPatch.context() as patch:
        if is_unit(request.path.relative_to(request.config.rootpath).parent.parts):
            for name in ("connect", "connect_ex", "sendto"):
                patch.setattr(socket.socket, name, refuse)
            patch.setattr(socket, "getaddrinfo", refuse)
            patch.setattr(socket, "create_connection", refuse)
        yield
