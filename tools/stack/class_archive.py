"""Kafka's classes as Java keeps them in memory: with this archive a broker starts in half the CPU time.

Java makes it from the list of classes that a broker has used, in about six seconds, for each version of Java and of
Kafka once a machine. `down` does so, since nobody waits for a server then.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.stack.errors import StartError
from tools.stack.folder import Folder, user_cache
from tools.stack.kafka_jars import PINNED, class_path
from tools.stack.process import run_to_end
from tools.stack.progress import Steps

SECONDS: Final = 120.0
HEAP: Final = "-Xmx400m"


def archive(java: str) -> Path:
    """Return the place of the archive, whether it is there or not."""
    program = Path(java).resolve()
    what = f"{program} {program.stat().st_mtime_ns} {hashlib.sha256(PINNED.read_bytes()).hexdigest()}"
    return user_cache() / f"kafka-classes-{hashlib.sha256(what.encode()).hexdigest()[:12]}.jsa"


def options(java: str, folder: Folder) -> list[str]:
    """Return what Java is to be told: to use the archive, or to note what it would have to hold.

    An archive that does not fit, such as one of another version, is left alone by Java.
    """
    found = archive(java)
    if found.exists():
        return [f"-XX:SharedArchiveFile={found}"]
    return [f"-XX:DumpLoadedClassList={_list(folder)}"]


def make(folder: Folder, find_java: Callable[[], str], steps: Steps) -> None:
    """Make the archive if there is none and a broker of this folder has run. A failure is in a log, and no harm."""
    names = _list(folder)
    if not names.exists():
        return
    wanted = archive(java := find_java())
    if not wanted.exists():
        with steps.step("Kafka: keep its classes for a faster start"):
            _dump(java, names, wanted, folder.log("kafka-classes"))
    names.unlink()


def _dump(java: str, names: Path, wanted: Path, log: Path) -> None:
    new = wanted.with_name(f"{wanted.name}.{os.getpid()}.new")
    argv = [java, HEAP, "-XX:+UseG1GC", "-Xshare:dump", f"-XX:SharedClassListFile={names}"]
    argv += [f"-XX:SharedArchiveFile={new}", "-cp", class_path()]
    try:
        run_to_end("Java's dump of classes", argv, log, SECONDS)
        new.replace(wanted)
    except (StartError, OSError) as error:
        log.write_text(f"{error}\n")
    finally:
        new.unlink(missing_ok=True)


def _list(folder: Folder) -> Path:
    return folder.root.resolve() / "kafka-classes.txt"
