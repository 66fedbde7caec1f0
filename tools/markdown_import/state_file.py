"""The state file: a JSON snapshot, and beside it a journal of what changed since.

So a run over 100,000 files does not write the whole over and over. The journal is folded into the snapshot at
the end of a run, and at the beginning of one that follows a kill: the new snapshot replaces the old one in
one rename, and only then the journal is emptied.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

from tools.markdown_import.entry import ENTRY, Entry
from tools.markdown_import.errors import ImportStoppedError
from tools.markdown_import.journal import Journal, writing

FORMAT = 1


@dataclass(slots=True)
class Head:
    """What the whole file is about: the notes' namespace, the chains' lineage, where commands were sent."""

    namespace: UUID
    lineage: UUID = field(default_factory=uuid4)
    target: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the fields as the file has them."""
        return {
            "format": FORMAT,
            "namespace": str(self.namespace),
            "lineage": str(self.lineage),
            "target": self.target,
        }


class StateFile:
    """The entries of all paths. Open it with `with`: leaving folds the journal into the snapshot."""

    def __init__(self, path: Path, namespace: UUID | None, default_namespace: UUID) -> None:
        """Lock and load the file at `path`. Raises ImportStoppedError.

        `namespace` is the one asked for; without one, that of the file holds, else `default_namespace`.
        """
        self._path = path
        self.head = Head(namespace or default_namespace)
        self.entries: dict[str, Entry] = {}
        self._journal = Journal(path.with_name(path.name + ".journal"))
        try:
            self._load()
            self._check(namespace)
            self.fold()
        except BaseException:
            self._journal.close(remove=False)
            raise

    def bind(self, target: str) -> None:
        """Keep where the commands go. Raises ImportStoppedError if earlier ones went somewhere else."""
        if self.head.target not in (None, target):
            raise ImportStoppedError(
                f"The state file {self._path} tells of notes sent to another system ({self.head.target}, this is "
                f"{target}); name another file with --state, or delete it to send everything again."
            )
        self.head.target = target

    def record(self, changes: Mapping[str, Entry]) -> None:
        """Take the changes over; they outlive this process, but not yet the machine: see `sync`."""
        head = [self.head.as_json()] if self._journal.is_empty() else []
        self._journal.append([*head, *([path, _plain(entry)] for path, entry in changes.items())])
        self.entries.update(changes)

    def sync(self) -> None:
        """Wait until what was recorded is on the disk."""
        self._journal.sync()

    def fold(self) -> None:
        """Write the snapshot anew, if the journal holds anything, and empty the journal."""
        if not self._journal.is_empty():
            with writing(self._path):
                self._write_snapshot()
            self._journal.clear()

    def _write_snapshot(self) -> None:
        new = self._path.with_name(self._path.name + ".new")
        with new.open("w", encoding="utf-8") as file:
            file.write(json.dumps(self.head.as_json(), indent=1).removesuffix("\n}") + ',\n "notes": {')
            for number, (path, entry) in enumerate(sorted(self.entries.items())):
                note = f"{json.dumps(path, ensure_ascii=False)}: {json.dumps(_plain(entry), ensure_ascii=False)}"
                file.write(f"{',' if number else ''}\n  {note}")
            file.write("\n }\n}\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _load(self) -> None:
        try:
            if self._path.exists():
                snapshot = json.loads(self._path.read_bytes())
                self._take_head(snapshot)
                for path, entry in snapshot["notes"].items():
                    self.entries[path] = ENTRY.validate_python(entry)
            for change in self._journal.read():
                if isinstance(change, dict):
                    self._take_head(change)
                else:
                    self.entries[change[0]] = ENTRY.validate_python(change[1])
        except OSError as error:
            raise ImportStoppedError(f"{self._path} cannot be read ({error.strerror}).") from None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ImportStoppedError(
                f"{self._path} is no state file of this importer ({str(error).partition(chr(10))[0]}); name another "
                "one with --state."
            ) from None

    def _take_head(self, found: dict[str, Any]) -> None:
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']}, known is {FORMAT}")
        self.head = Head(UUID(found["namespace"]), UUID(found["lineage"]), found["target"])

    def _check(self, namespace: UUID | None) -> None:
        if namespace not in (None, self.head.namespace):
            raise ImportStoppedError(
                f"The state file {self._path} is of the namespace {self.head.namespace}, not of {namespace}, which "
                "was asked for; name another file with --state."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        folded = False
        try:
            self.fold()
            folded = True
        finally:
            self._journal.close(remove=folded)


def _plain(entry: Entry) -> Any:
    return ENTRY.dump_python(entry, mode="json", exclude_defaults=True)
