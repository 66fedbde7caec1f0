"""Write down which code the chassis' version stands for: `make chassis-version`, after the version was raised.

Services pin the chassis by its version, so a version must never stand for two different codes.
"""

import hashlib
import sys
import tomllib
from pathlib import Path
from typing import Final

CHASSIS: Final = Path(__file__).resolve().parents[1] / "chassis"


def version(chassis: Path) -> str:
    """Return the version that `chassis`, a folder with a pyproject.toml, states."""
    project = tomllib.loads((chassis / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def digest(chassis: Path) -> str:
    """Return the SHA-256, in hex, of the names and bytes of what goes into the wheel."""
    found = hashlib.sha256()
    for path in sorted((chassis / "src").rglob("*.py")):
        found.update(f"{path.relative_to(chassis).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def recorded(chassis: Path) -> tuple[str, str]:
    """Return the version and the digest that belong together, as they were written down last."""
    known, code = (chassis / "VERSION").read_text(encoding="utf-8").split()
    return known, code


def complaint(chassis: Path) -> str | None:
    """Return what is wrong, and what to do; None if version and code belong together."""
    known, code = recorded(chassis)
    if digest(chassis) != code and version(chassis) == known:
        return (
            f"the code is not that of version {known}: raise the version in pyproject.toml, then make chassis-version"
        )
    if (version(chassis), digest(chassis)) != (known, code):
        return f"version {version(chassis)} of the chassis is not written down: make chassis-version"
    return None


def main() -> int:
    """Write version and digest down. Refuse, with exit code 1, where the code changed and the version did not."""
    why = complaint(CHASSIS)
    if why and version(CHASSIS) == recorded(CHASSIS)[0]:
        print(why, file=sys.stderr)
        return 1
    (CHASSIS / "VERSION").write_text(f"{version(CHASSIS)} {digest(CHASSIS)}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
