"""Kafka's jars: fetched from Maven Central by jgo, checked against pinned hashes, kept for all checkouts.

`make jars` runs this module, which pins them, after a change of the versions below.
"""

import base64
import hashlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.stack.errors import StackError
from tools.stack.folder import user_cache

PINNED = Path(__file__).with_name("kafka-jars.txt")
TOGETHER = 8  # downloads at a time
BROKER = "org.apache.kafka:kafka_2.13:4.1.0"  # the version of the image in docker-compose.yml
LOGGING = "org.slf4j:slf4j-simple:1.7.36"  # of the slf4j that the broker asks for; writes to standard error


@dataclass(frozen=True)
class Jar:
    """One line of the list."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name under which Maven Central has it."""
        return f"{self.artifact}-{self.version}.jar"


def pinned() -> list[Jar]:
    """Read the list; `make jars` writes it."""
    lines = PINNED.read_text().splitlines()
    return [Jar(*line.replace(":", " ").split()) for line in lines if line and not line.startswith("#")]


def class_path() -> str:
    """Return the class path of a broker, with nothing to fetch after the first time. Raises StackError."""
    folder = user_cache() / f"kafka-{hashlib.sha256(PINNED.read_bytes()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    absent = [jar for jar in pinned() if not (folder / jar.file_name).exists()]
    if absent:
        fetch(absent, folder)
    return f"{folder}/*"


def fetch(jars: list[Jar], folder: Path) -> None:
    """Download into a folder beside; a jar gets its place only when it is whole and right."""
    from jgo.maven import MavenContext  # noqa: PLC0415 - takes half a second, and is needed once

    downloads = folder / f".downloads-{os.getpid()}"
    context = MavenContext(repo_cache=downloads, local_repos=[], timeout=60)

    def one(jar: Jar) -> None:
        path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        if hashlib.sha256(path.read_bytes()).hexdigest() != jar.sha256:
            raise StackError(f"{jar.file_name} is not the file that {PINNED.name} pins. Try again later.")
        path.replace(folder / jar.file_name)

    try:
        with ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(one, jars))
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors, jgo's are RuntimeErrors
        raise StackError(
            f"Kafka's jars could not be fetched from Maven Central: {error}. "
            "Check the network (HTTPS_PROXY is honoured), or set NOTES_KAFKA to a broker of yours."
        ) from error
    finally:
        shutil.rmtree(downloads, ignore_errors=True)


def pin() -> None:
    """Resolve, download, hash, write."""
    from jgo import resolve  # noqa: PLC0415
    from jgo.maven import MavenContext  # noqa: PLC0415

    lines = [f"# What {BROKER} needs to run, with SHA-256. Written by `make jars`."]
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder))
        for jar in sorted(resolve(f"{BROKER}+{LOGGING}"), key=str):
            path = context.project(jar.groupId, jar.artifactId).at_version(jar.version).artifact().resolve()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"{jar.groupId}:{jar.artifactId}:{jar.version} {digest}")
    PINNED.write_text("\n".join(lines) + "\n")
    from tools.stack.kafka import BOOTSTRAP, bootstrap_of_the_tool  # noqa: PLC0415 - they need the jars that are pinned

    with tempfile.TemporaryDirectory() as folder:
        BOOTSTRAP.write_bytes(base64.encodebytes(bootstrap_of_the_tool(Path(folder))))


if __name__ == "__main__":
    pin()
