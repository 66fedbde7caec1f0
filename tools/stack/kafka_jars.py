"""Kafka's jars: fetched from Maven Central by jgo, checked against pinned hashes, kept for all checkouts."""

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.stack.cache import user_cache
from tools.stack.errors import FetchError

PINNED = Path(__file__).with_name("kafka-jars.txt")
TOGETHER = 8  # downloads at a time


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
    """Return the class path of a broker, with nothing to fetch after the first time.

    Raises:
        FetchError: Maven Central is out of reach, or gave other bytes than were pinned.

    """
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
        project = context.project(jar.group, jar.artifact)
        path = project.at_version(jar.version).artifact().resolve()
        if hashlib.sha256(path.read_bytes()).hexdigest() != jar.sha256:
            raise FetchError(f"{jar.file_name} is not the file that {PINNED.name} pins. Try again later.")
        path.replace(folder / jar.file_name)

    try:
        with ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(one, jars))
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors, jgo's are RuntimeErrors
        raise FetchError(
            f"Kafka's jars could not be fetched from Maven Central: {error}. "
            "Check the network (HTTPS_PROXY is honoured), or set NOTES_KAFKA to a broker of yours."
        ) from error
    finally:
        shutil.rmtree(downloads, ignore_errors=True)
