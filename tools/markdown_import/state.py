"""The state file: JSON, replaced as a whole before each batch of commands is published."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

from filelock import FileLock, Timeout
from pydantic import BaseModel, PrivateAttr, ValidationError

from tools.markdown_import import ImportStoppedError
from tools.markdown_import.chain import Entry


class State(BaseModel):
    """`lineage`: what the chains begin with. `target`: the system the commands go to. `notes`: the entries by path."""

    format: Literal[1]
    namespace: UUID
    lineage: UUID
    target: str | None
    notes: dict[str, Entry] = {}
    _file: Path = PrivateAttr()

    def save(self) -> None:
        """Replace the file. It is on the disk when this returns, or as it was. Raises OSError."""
        new = self._file.with_name(self._file.name + ".new")
        with new.open("wb") as opened:
            opened.write(self.model_dump_json(indent=1, exclude_defaults=True).encode())
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


@contextmanager
def opened_state(file: Path, namespace: UUID, target: str, *, asked: bool) -> Iterator[State]:
    """Yield what the file holds, and keep every other import away from it. Raises ImportStoppedError or OSError.

    Unless `namespace` was `asked` for, that of the file counts.
    """
    another = "name another file with --state"
    try:
        with FileLock(f"{file}.lock", timeout=0):
            state = State(format=1, namespace=namespace, lineage=uuid4(), target=target)
            if file.exists():
                state = State.model_validate_json(file.read_bytes())
            if state.target != target:
                where = f"another system ({state.target}, this is {target})"
                raise ImportStoppedError(f"{file} tells of notes sent to {where}; {another}, or delete it.")
            if asked and state.namespace != namespace:
                raise ImportStoppedError(f"{file} is of namespace {state.namespace}, not of {namespace}; {another}.")
            state._file = file  # noqa: SLF001
            yield state
    except Timeout:
        raise ImportStoppedError(f"Another import is using {file}; wait until it has ended.") from None
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise ImportStoppedError(f"{file} is no state file of this importer ({why}); {another}.") from None
