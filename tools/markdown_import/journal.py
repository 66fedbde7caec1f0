"""The journal beside the state file: JSON lines, appended, and locked for one process."""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tools.markdown_import.errors import ImportStoppedError


class Journal:
    """Changes since the snapshot. What cannot be written raises ImportStoppedError."""

    def __init__(self, path: Path) -> None:
        """Open and lock the file at `path`. Raises ImportStoppedError if another process has it."""
        self._path = path
        self._file = _locked(path)

    def read(self) -> list[Any]:
        """Return the values written; a last line that a kill cut short was never acted upon and is left out.

        Raises ValueError for a line that is not JSON.
        """
        self._file.seek(0)
        return [json.loads(line) for line in self._file.read().splitlines(keepends=True) if line.endswith(b"\n")]

    def append(self, values: Sequence[Any]) -> None:
        """Write a line for each; they outlive this process, but not yet the machine: see `sync`."""
        lines = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
        with writing(self._path):
            self._file.write(lines.encode())
            self._file.flush()

    def sync(self) -> None:
        """Wait until what was appended is on the disk."""
        with writing(self._path):
            os.fsync(self._file.fileno())

    def is_empty(self) -> bool:
        """Tell whether nothing was written since it was emptied."""
        return os.fstat(self._file.fileno()).st_size == 0

    def clear(self) -> None:
        """Empty it."""
        with writing(self._path):
            self._file.truncate(0)

    def close(self, *, remove: bool) -> None:
        """Give the lock up; `remove` the file first."""
        if remove:
            with writing(self._path):
                self._path.unlink()
        self._file.close()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError into ImportStoppedError."""
    try:
        yield
    except OSError as error:
        raise ImportStoppedError(
            f"{path} cannot be written ({error.strerror}); name another place with --state."
        ) from None


def _locked(path: Path) -> BinaryIO:
    while True:
        with writing(path):
            file = path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BlockingIOError:
            file.close()
            raise ImportStoppedError(f"Another import is using {path}; wait until it has ended.") from None
        file.close()  # the run that had the lock removed this file when it ended: take the new one
