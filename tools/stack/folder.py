"""The one folder that holds state, data, logs and pids of a stack; and the folders that all checkouts share."""

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from tools.stack.errors import StackError

REPOSITORY = Path(__file__).resolve().parents[2]
LASTING = Path("/var/tmp")  # noqa: S108 - open_folder() checks the owner


class Folder:
    """Where a stack keeps its things; `.stack` in the checkout unless told otherwise.

    `logs`: one per server and service, the run before it beside as `.1`. `run`: one record per process. `env_file`:
    addresses as shell lines. Kept over `down`: `backend_file` (who has the data), `ports_file`, `ours_file`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.logs, self.run = root / "logs", root / "run"
        self.env_file, self.state_file = root / "env", root / "state.json"
        self.backend_file, self.ports_file, self.ours_file = root / "backend", root / "ports.json", root / "ours.json"

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


STACK = Folder(REPOSITORY / ".stack")
"""That of `make up`; below it are those of demo, soak and bench."""


def in_use(folder: Folder) -> FileLock:
    """Return the lock that a program has while it uses a stack of its own; free though the stack runs, it was left."""
    folder.root.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.root.with_name(f"{folder.root.name}.lock"), timeout=0)


@contextmanager
def locked(folder: Folder, seconds: float) -> Iterator[None]:
    """Have a folder to ourselves, and say who we are meanwhile. Raises Timeout: somebody else has it so long."""
    pid = folder.root / "lock.pid"
    with FileLock(folder.root / "lock", timeout=seconds):
        pid.write_text(str(os.getpid()))
        try:
            yield
        finally:
            pid.unlink(missing_ok=True)


def holder(folder: Folder) -> str:
    """Return who has a folder to itself, in words."""
    try:
        return f"process {(folder.root / 'lock.pid').read_text()}"
    except FileNotFoundError:  # it has just begun, or just ended
        return "process unknown"


def read_json(path: Path) -> Any:
    """Return the file's content, None if it is not there. Raises StackError: it is not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StackError(f"{path} is not JSON, which a crash of the machine may leave: {error}. Remove it.") from None


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


def user_cache() -> Path:
    """Return a folder for downloads: under XDG_CACHE_HOME or ~/.cache, else one that any user may enter."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "notes-stack"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home folder, or one that cannot be written
        return open_folder()
    return folder


def open_folder() -> Path:
    """Return a folder of ours that any user may enter, for what runs as another user.

    Under /var/tmp, which outlives a restart of the machine, since PostgreSQL's files may be in it. Raises StackError:
    somebody else made a folder of that name.
    """
    base = LASTING if LASTING.is_dir() else Path(tempfile.gettempdir())
    folder = base / f"notes-stack-{os.getuid()}"
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
        raise StackError(f"{folder} belongs to another user; it has to be removed first.")
    folder.chmod(0o755)
    return folder
