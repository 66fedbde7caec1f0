"""How the example of each language is built and run. What is built stays until its sources change."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
PRODUCTS: Final = frozenset({"node_modules", "out", "target", ".venv", "upstream"})


@dataclass(frozen=True)
class Language:
    """`needs` are programs, `build` the commands that make it, `run` what is run; all in the language's folder."""

    name: str
    client: str
    needs: tuple[str, ...]
    build: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return EXAMPLES / self.name

    def missing(self) -> str | None:
        """Return the sentence that says why it cannot be run here."""
        absent = [program for program in self.needs if shutil.which(program) is None]
        return f"{self.name}: {' and '.join(absent)} not installed, so this example is not run" if absent else None

    def built(self) -> tuple[str, ...]:
        """Build it if its sources are other than last time, and return what to run."""
        stamp = EXAMPLES / ".built" / self.name
        stamp.parent.mkdir(exist_ok=True)
        with FileLock(f"{stamp}.lock"):
            digest = self.digest()
            if not stamp.exists() or stamp.read_text() != digest:
                for command in self.build:
                    options: dict[str, Any] = {"cwd": self.folder, "env": environment()}
                    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
                    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
                stamp.write_text(digest)
        return self.run

    def digest(self) -> str:
        """Return the SHA-256 of its sources."""
        found = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and not PRODUCTS & set(path.relative_to(self.folder).parts):
                found.update(f"{path.name}\0".encode() + path.read_bytes())
        return found.hexdigest()


def environment(**settings: str) -> dict[str, str]:
    """Return the environment of a program that is not one of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOTES_", "PYTHON"))}
    return {**kept, **settings}


LANGUAGES: Final = (
    Language(
        "java",
        "kafka-clients",
        ("java", "mvn"),
        (("mvn", "-q", "-B", "package"),),
        ("java", "-Dfile.encoding=UTF-8", "-XX:TieredStopAtLevel=1", "-cp", "target/classes:target/lib/*", "Upstream"),
    ),
    Language("go", "franz-go", ("go",), (("go", "build", "-o", "upstream", "."),), ("./upstream",)),
    Language(
        "typescript",
        "@platformatic/kafka",
        ("node", "npm"),
        (("npm", "ci", "--no-audit", "--no-fund"), ("npm", "run", "build")),
        ("node", "out/upstream.js"),
    ),
    Language(
        "python",
        "confluent-kafka",
        (),
        (
            (sys.executable, "-m", "venv", ".venv"),
            (".venv/bin/python", "-m", "pip", "install", "-q", "--require-hashes", "-r", "requirements.txt"),
        ),
        (".venv/bin/python", "upstream.py"),
    ),
)
