"""Downloads and copies that all checkouts of a user share."""

import os
import tempfile
from pathlib import Path

from tools.stack.errors import RefusedError

LASTING = Path("/var/tmp")  # noqa: S108 - open_folder() checks the owner


def user_cache() -> Path:
    """Return a folder for downloads: under XDG_CACHE_HOME or ~/.cache, else under the temporary folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        folder = Path(base).expanduser() / "notes-stack"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home folder, or one that cannot be written
        return open_folder()
    return folder


def open_folder() -> Path:
    """Return a folder of ours that any user may enter, for what runs as another user.

    Under /var/tmp, which outlives a restart of the machine, since PostgreSQL's files may be in it.

    Raises:
        RefusedError: somebody else made a folder of that name.

    """
    base = LASTING if LASTING.is_dir() else Path(tempfile.gettempdir())
    folder = base / f"notes-stack-{os.getuid()}"
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or folder.is_symlink():
        raise RefusedError(f"{folder} belongs to another user; it has to be removed first.")
    folder.chmod(0o755)
    return folder
