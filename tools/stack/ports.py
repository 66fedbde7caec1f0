"""Ports of 127.0.0.1: the last ones again if still free, else the usual ones, else any."""

import json
import os
import random
import socket
import threading

from tools.stack.folder import Folder, read_json, write_whole

# Below the range that systems hand out to outgoing connections, so that none takes ours while we are down.
RANGE = range(20_000, 30_000)
USUAL = {"command": 8081, "query": 8080}


class Ports:
    """Chooses and remembers one port per name."""

    def __init__(self, folder: Folder) -> None:
        """Take over the choices of the last start."""
        self._file = folder.ports_file
        self._chosen: dict[str, int] = read_json(self._file) or {}
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    def last(self, name: str) -> int | None:
        """Return the port of the last start, whether in use or not."""
        return self._chosen.get(name)

    def choose(self, name: str) -> int:
        """Return a port that nobody listens on, and remember it."""
        with self._lock:
            wanted = os.environ.get(f"NOTES_{name.upper()}_PORT")
            first = [int(wanted)] if wanted else [self._chosen.get(name), USUAL.get(name)]
            candidates = [port for port in first if port] + random.sample(RANGE, 100)
            port = next(port for port in candidates if port not in self._taken and is_free(port))
            self._taken.add(port)
            self._chosen[name] = port
            write_whole(self._file, json.dumps(self._chosen))
            return port


def is_free(port: int) -> bool:
    """Tell whether nobody listens on the port; connections that linger after their server do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
