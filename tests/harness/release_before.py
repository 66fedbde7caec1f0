"""The release before, as wheels that are built once out of the history and kept for all checkouts."""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import pytest
from filelock import FileLock

from tools.stack.folder import REPOSITORY, user_cache

COMMIT: Final = "c7f612151248fd7b8477a2208de1a00eaeea1716"
"""The release before, to be moved on when one is made. It had no chassis yet."""
PACKAGES: Final = ("contracts", "chassis", "command-service", "query-service")


def release_before() -> str:
    """Return the PYTHONPATH under which a Python runs the services of the release before.

    Skips the test where the history does not reach back to it.
    """
    kept = user_cache() / f"release-{COMMIT[:12]}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{kept}.lock"):
        if not kept.exists():
            _build(kept)
    return str(kept)


def _build(place: Path) -> None:
    git = ["git", "-C", str(REPOSITORY)]
    if subprocess.run([*git, "cat-file", "-e", f"{COMMIT}^{{commit}}"], check=False, capture_output=True).returncode:
        pytest.skip(f"the history does not reach back to the release before, {COMMIT[:7]}: a shallow clone, or none")
    names = subprocess.run([*git, "ls-tree", "--name-only", COMMIT], check=True, capture_output=True, text=True)
    packages = [name for name in PACKAGES if name in names.stdout.splitlines()]
    archive = subprocess.run([*git, "archive", COMMIT, *packages], check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        sources, wheels, unpacked = (Path(folder) / name for name in ("sources", "wheels", "unpacked"))
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(sources, filter="data")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps"]
        subprocess.run(
            [*pip, "--no-build-isolation", "-w", str(wheels), *(str(sources / name) for name in packages)],
            check=True,
            env={**os.environ, "PIP_NO_INDEX": "1"},
        )
        for wheel in wheels.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(unpacked)
        unpacked.rename(place)
