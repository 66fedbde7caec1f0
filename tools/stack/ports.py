"""Ports of 127.0.0.1: the last ones again if still free, else the usual ones, else any.

A port is reserved by a lock on a file that all checkouts of a user share. The process that has the port inherits the
lock and gives it up when it ends, however it ends; so two starts at the same time never choose the same one.
"""

import fcntl
import json
import os
import random
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

from tools.stack.errors import StackError
from tools.stack.folder import Folder, open_folder, read_json, write_whole

# Below the range that systems hand out to outgoing connections, so that none takes ours while we are down.
RANGE = range(20_000, 30_000)
USUAL = {"command": 8081, "query": 8080, "web": 8082, "command_ops": 9081, "query_ops": 9080}

_reserved: dict[int, tuple[Path, str, int]] = {}  # by this process: whose it is, under which name, the locked file


class Ports:
    """Chooses and remembers one port per name."""

    def __init__(self, folder: Folder) -> None:
        """Take over the choices of the last start."""
        self._file = folder.ports_file.resolve()
        self._chosen: dict[str, int] = read_json(self._file) or {}
        self._lock = threading.Lock()

    def last(self, name: str) -> int | None:
        """Return the port of the last start, whether in use or not."""
        return self._chosen.get(name)

    def choose(self, name: str) -> int:
        """Return a port that nobody listens on or has reserved; reserve and remember it.

        Raises StackError: the environment names a port, which is not one or is in use.
        """
        with self._lock:
            wanted = _wanted(name)
            first = [wanted] if wanted else [self._chosen.get(name), USUAL.get(name), *random.sample(RANGE, 100)]
            port = next((port for port in first if port and self._take(port, name)), None)
            if port is None:
                raise StackError(f"NOTES_{name.upper()}_PORT is {wanted}, a port that is in use. Choose another.")
            self._chosen[name] = port
            write_whole(self._file, json.dumps(self._chosen))
            return port

    def _take(self, port: int, name: str) -> bool:
        return reserve(port, self._file, name) and is_free(port)


def _wanted(name: str) -> int | None:
    text = os.environ.get(f"NOTES_{name.upper()}_PORT")
    if text and not (text.isascii() and text.isdigit() and 0 < int(text) < 2**16):
        raise StackError(f"NOTES_{name.upper()}_PORT is {text!r}, which is not a port.")
    return int(text) if text else None


def reserve(port: int, owner: Path, name: str) -> bool:
    """Keep a port from everybody else; False if it is reserved already, but for the same owner and name."""
    if port in _reserved:
        return name != "" and _reserved[port][:2] == (owner, name)
    folder = open_folder() / "ports"
    folder.mkdir(exist_ok=True)
    file = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return False
    _reserved[port] = (owner, name, file)
    return True


def any_port() -> int:
    """Return a free port, reserved for as long as this process lives."""
    return next(port for port in random.sample(RANGE, 100) if reserve(port, Path(), "") and is_free(port))


def locks_of(ports: Sequence[int]) -> list[int]:
    """Return the locked files of the ports that this process has reserved, for a child to inherit."""
    return [_reserved[port][2] for port in ports if port in _reserved]


def is_free(port: int) -> bool:
    """Tell whether nobody listens on the port; connections that linger after their server do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
