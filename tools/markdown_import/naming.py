"""Which note a file is: uuid5 of the folder's namespace and the file's path below the folder."""

from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from notes_contracts import parse_id

ROOT = uuid5(NAMESPACE_URL, "urn:notes:markdown-import")
"""What the namespace of a folder without a `--namespace` is derived from."""


def namespace_of(name: str) -> UUID:
    """Return the namespace called `name`: itself if it is a dashed UUID, else uuid5(NAMESPACE_URL, name)."""
    return UUID(name) if parse_id(name) else uuid5(NAMESPACE_URL, name)


def default_namespace(folder: Path) -> UUID:
    """Return the namespace of a folder that was given none: uuid5(ROOT, absolute path).

    Not one for all folders: two folders with a README.md each would claim the same note.
    """
    return uuid5(ROOT, folder.resolve().as_posix())


def note_id_of(namespace: UUID, path: str) -> str:
    """Return the id of the note that the file at `path` (relative, with forward slashes) is."""
    return str(uuid5(namespace, path))
