"""The folder through which a test session, its workers and the holder of its servers speak."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.servers.addresses import Servers
from tools.stack.errors import StackError, last_lines
from tools.stack.folder import REPOSITORY, read_json, write_whole
from tools.stack.launcher import start_mark

ADDRESSES, FAILURE, HOLDER, LOG = "addresses.json", "failure.txt", "holder.json", "holder.log"
PREFIX = "notes-tests-"
ROOM = 6 << 30  # bytes; a whole run leaves about 2 GB, most of it MongoDB's oplog
DEADLINE = 900.0  # seconds, for a first start that downloads everything over a slow line


class ServersUnavailableError(StackError):
    """The servers for this session did not start; the text says why."""


def room() -> Path:
    """Return where the servers keep their files: in memory, where there is enough.

    On a disk MongoDB takes ten times as long to make an index, and a test makes up to fifty.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= ROOM:
        return memory
    return Path(tempfile.gettempdir())


@dataclass(frozen=True)
class Session:
    """One run of pytest: its folder, and the process (with its start mark) whose end ends it."""

    folder: Path
    pid: int
    mark: str

    @classmethod
    def here(cls) -> "Session":
        """Return the session of this process; its folder is made when a server is needed."""
        folder = room() / f"{PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        return cls(folder, os.getpid(), start_mark(os.getpid()) or "")

    def begin(self) -> None:
        """Have the servers started, without waiting, unless a worker before us did."""
        self.folder.mkdir(mode=0o755, exist_ok=True)
        self.folder.chmod(0o755)  # PostgreSQL may run as another user
        with FileLock(self.folder / "lock"):
            if (self.folder / HOLDER).exists():
                return
            with (self.folder / LOG).open("wb") as log:
                holder = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "tests.servers.holder",
                        str(self.folder),
                        str(self.pid),
                        self.mark,
                    ],
                    cwd=REPOSITORY,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            write_whole(self.folder / HOLDER, json.dumps(process(holder.pid) | {"session": process(self.pid)}))
            _holders.append(holder)

    def servers(self) -> Servers:
        """Wait until the servers are up.

        Raises:
            ServersUnavailableError: they did not start; the text has the reason.

        """
        self.begin()
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            if addresses := read_json(self.folder / ADDRESSES):
                return Servers(**addresses)
            if reason := self.failure():
                raise ServersUnavailableError(reason)
            time.sleep(0.05)
        raise ServersUnavailableError(f"The servers did not start within {DEADLINE:.0f} s. Log: {self.folder / LOG}")

    def failure(self) -> str | None:
        """Return why the servers did not start, None if there is no such reason."""
        path = self.folder / FAILURE
        if path.exists():
            return path.read_text()
        holder = self._holder()
        if holder and not lives(holder):
            lines = "\n".join(f"  | {line}" for line in last_lines(self.folder / LOG, 12))
            return f"The process that holds the servers has ended.\n{lines}\n  Log: {self.folder / LOG}"
        return None

    def _holder(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = read_json(self.folder / HOLDER)
        return found

    def end(self) -> None:
        """Have the servers stopped, and wait for it."""
        holder = self._holder()
        if holder and lives(holder):
            os.kill(holder["pid"], signal.SIGTERM)
            deadline = time.monotonic() + 60
            while lives(holder) and time.monotonic() < deadline:
                time.sleep(0.02)
        for child in _holders:
            child.wait(10)
        _holders.clear()


def process(pid: int) -> dict[str, Any]:
    """Return what is written down of a process."""
    return {"pid": pid, "mark": start_mark(pid)}


def lives(known: dict[str, Any]) -> bool:
    """Tell whether the process that was written down still runs."""
    return known["mark"] is not None and start_mark(known["pid"]) == known["mark"]


_holders: list["subprocess.Popen[bytes]"] = []
