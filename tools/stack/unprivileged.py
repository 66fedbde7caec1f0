"""PostgreSQL refuses to run as root; so as root it runs as an account that owns nothing else."""

import hashlib
import os
import pwd
import re
import shutil
from pathlib import Path

from tools.stack.errors import MissingError
from tools.stack.folder import build_once, open_folder

ACCOUNT = "nobody"
SAFE = re.compile(r"[^$`\"\\\n]*").fullmatch


def account() -> str | None:
    """Return the name of the account to run as, None if the present one will do. Raises MissingError."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError:
        raise MissingError(
            f"PostgreSQL does not run as root, and there is no account `{ACCOUNT}` to run it as."
        ) from None


def within_reach(path: Path) -> bool:
    """Tell whether every folder on the way, as far as there are any, may be entered by any user."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents if parent.exists())


def reachable_programs(programs: Path) -> Path:
    """Return a folder of programs (`…/bin`) that the account may run: this one, or a copy of its installation.

    A virtual environment in root's home folder is closed to everybody else. And `initdb` runs its programs through
    a shell, where `$` in a path begins a name.
    """
    if SAFE(str(programs)) and (account() is None or within_reach(programs / "postgres")):
        return programs
    stamp = f"{programs} {(programs / 'postgres').stat().st_mtime_ns}"
    copy = open_folder() / f"postgres-programs-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    build_once(copy, lambda new: copy_installation(programs.parent, new))
    return copy / programs.relative_to(programs.parents[2])


def copy_installation(installation: Path, new: Path) -> None:
    """Copy what the server needs, leaving out headers and static libraries.

    A wheel keeps libraries beside the package, in `<package>.libs`, where its programs look for them by a
    relative path; so the copy has the same form.
    """
    ignore = shutil.ignore_patterns("include", "*.a", "doc", "man")
    package = installation.parent
    shutil.copytree(installation, new / package.name / installation.name, symlinks=True, ignore=ignore)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, new / libraries.name, symlinks=True)
    for folder, _, _ in os.walk(new):
        Path(folder).chmod(0o755)


def reachable_data(data: Path) -> Path:
    """Return the folder for a server's files: this one, or one elsewhere if another user cannot get there."""
    if within_reach(data):
        return data
    return open_folder() / f"{data.name}-{hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]}"
