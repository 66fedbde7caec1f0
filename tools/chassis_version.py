"""Write down which code the chassis' version stands for: `make chassis-version`, after the version was raised.

Services pin the chassis by its version, so a version must never stand for two different codes.
"""

import hashlib
import json
import sys
import tomllib
from pathlib import Path
from typing import Final

CHASSIS: Final = Path(__file__).resolve().parents[1] / "chassis"
RAISE: Final = "raise the version"


def stated(chassis: Path) -> tuple[str, str]:
    """Return the version that `chassis`, a folder with a pyproject.toml, states, and what its code is.

    That is the SHA-256, in hex, of the names and bytes of the files below `src`, and of what is said of the project,
    its dependencies among it.
    """
    project = tomllib.loads((chassis / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = str(project.pop("version"))
    found = hashlib.sha256(json.dumps(project, sort_keys=True).encode())
    for path in sorted((chassis / "src").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(f"{path.relative_to(chassis).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return version, found.hexdigest()


def complaint(chassis: Path) -> str | None:
    """Return what is wrong, and what to do; None if version and code are those that were written down last."""
    version, code = stated(chassis)
    known, written = (chassis / "VERSION").read_text(encoding="utf-8").split()
    if (version, code) == (known, written):
        return None
    if version == known:
        return f"the code is not that of version {known}: {RAISE} in pyproject.toml, then make chassis-version"
    return f"version {version} of the chassis is not written down: make chassis-version"


def main() -> int:
    """Write version and code down. Refuse, with exit code 1, where the code changed and the version did not."""
    if (why := complaint(CHASSIS)) and RAISE in why:
        print(why, file=sys.stderr)
        return 1
    (CHASSIS / "VERSION").write_text(f"{' '.join(stated(CHASSIS))}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
