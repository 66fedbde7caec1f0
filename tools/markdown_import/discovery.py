"""Finds the Markdown files of a folder."""

import os
from collections.abc import Callable
from pathlib import Path


def find_markdown(folder: Path, on_unreadable: Callable[[str, str], None]) -> list[str]:
    """Return the paths of all `*.md` files below `folder`, relative, with forward slashes, sorted.

    Hidden folders are skipped, links to folders are not followed. A folder that cannot be listed is told to
    `on_unreadable` (path, reason). A link that leads nowhere is found: reading it says what is wrong.
    """

    def tell(error: OSError) -> None:
        on_unreadable(os.path.relpath(error.filename, folder), f"cannot be listed: {error.strerror}")

    found = []
    for root, folders, files in os.walk(folder, onerror=tell):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(root).relative_to(folder)
        found += [(below / name).as_posix() for name in files if name.endswith(".md")]
    return sorted(found)
