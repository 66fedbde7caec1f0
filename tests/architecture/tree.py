"""The files of the repository: all that git does not ignore, committed or not."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def texts(root: Path, scratch: Path) -> Iterator[tuple[str, str]]:
    """Yield path, relative with slashes, and text of every file below `root` that is text.

    `scratch` is a folder to make. Git is asked with an empty repository of our own there, so that an exported tree
    has the same files as a clone. Raises FileNotFoundError without git.
    """
    git = shutil.which("git")
    if git is None:
        raise FileNotFoundError("git was not found; it is what knows which files belong to the project")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = [git, f"--git-dir={scratch / 'git'}", f"--work-tree={root}"]
    subprocess.run([*command, "init", "-q"], check=True, env=environment, cwd=root)
    listed = subprocess.run(
        [*command, "ls-files", "-z", "--others", "--exclude-standard"],
        check=True,
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
    ).stdout
    for path in filter(None, listed.split("\0")):
        try:
            yield path, (root / path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):  # no text, or gone since git looked
            continue
