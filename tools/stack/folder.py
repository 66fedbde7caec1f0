"""The one folder that holds state, data, logs and pids of a stack."""

import glob
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Folder:
    """Where a stack keeps its things; `.stack` in the checkout unless told otherwise."""

    root: Path

    @property
    def logs(self) -> Path:
        """One log per server and service, with the run before it beside as `.1`."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """One record per process that was started."""
        return self.root / "run"

    @property
    def env_file(self) -> Path:
        """Addresses as shell lines."""
        return self.root / "env"

    @property
    def state_file(self) -> Path:
        """Backend, addresses, and which of them the environment gave."""
        return self.root / "state.json"

    @property
    def backend_file(self) -> Path:
        """Which backend has the data, kept over `down`."""
        return self.root / "backend"

    @property
    def ports_file(self) -> Path:
        """Ports of the last start, kept over `down` so that addresses stay."""
        return self.root / "ports.json"

    def data(self, name: str) -> Path:
        """Return the folder of a server's files."""
        return self.root / "data" / name

    def log(self, name: str) -> Path:
        """Return the log file of a server or service."""
        return self.logs / f"{name}.log"

    def create(self) -> None:
        """Make the folders; others may pass through, for a server that runs as another user."""
        for path in (self.root, self.logs, self.run, self.root / "data"):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)

    def forget(self) -> None:
        """Remove what is only true while the stack is up."""
        for path in (self.env_file, self.state_file):
            path.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Return the file's content, None if it is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file at once, so that a reader or a crash never meets half of it."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    new.replace(path)


def build_once(directory: Path, build: Callable[[Path], None]) -> None:
    """Have `build` fill a new folder, which takes its name only when complete: a killed run leaves none."""
    if directory.exists():
        return
    for left_over in directory.parent.glob(f"{glob.escape(directory.name)}.new-*"):
        pid = int(left_over.name.rpartition("-")[2].partition(".")[0])
        if pid == os.getpid() or not psutil.pid_exists(pid):  # else another start is at it
            shutil.rmtree(left_over, ignore_errors=True)
    new = directory.with_name(f"{directory.name}.new-{os.getpid()}")
    new.mkdir(parents=True)
    build(new)
    if directory.exists():
        shutil.rmtree(new)
    else:
        new.rename(directory)
