"""Finds the Markdown files of a folder."""

import os
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".md", ".markdown")


@dataclass(slots=True)
class Found:
    """Paths relative to the folder, with forward slashes. `left_out` and `unreadable` hold (path, reason)."""

    paths: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def find_markdown(folder: Path) -> Found:
    """Return all Markdown files below `folder`, sorted; the suffix may be in any case.

    Hidden folders, `node_modules`, links to folders, and links to files outside `folder` are left out. A link that
    leads nowhere inside is found: reading it says what is wrong.
    """
    found = Found()

    def tell(error: OSError) -> None:
        path = Path(os.path.relpath(error.filename, folder)).as_posix()
        found.unreadable.append((path, f"cannot be listed: {error.strerror}"))

    def keep(path: Path, why_not: str | None) -> bool:
        if why_not:
            found.left_out.append((path.relative_to(folder).as_posix(), why_not))
        return not why_not

    for root, folders, files in os.walk(folder, onerror=tell):
        here = Path(root)
        folders[:] = [name for name in sorted(folders) if keep(here / name, _why_no_folder(here / name))]
        for name in files:
            if name.lower().endswith(SUFFIXES) and keep(here / name, _why_no_file(here / name, folder)):
                found.paths.append((here / name).relative_to(folder).as_posix())
    found.paths.sort()
    return found


def _why_no_folder(path: Path) -> str | None:
    if path.name.startswith("."):
        return "a hidden folder"
    if path.name == "node_modules":
        return "a folder of packages"
    return "a link to a folder" if path.is_symlink() else None


def _why_no_file(path: Path, folder: Path) -> str | None:
    if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        return "a link that leads out of the folder"
    return None
