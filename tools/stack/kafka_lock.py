"""Pins Kafka's jars: `make jars` runs this after a change of the versions below."""

import hashlib
import tempfile
from pathlib import Path

from jgo import resolve
from jgo.maven import MavenContext

from tools.stack.kafka_jars import PINNED

BROKER = "org.apache.kafka:kafka_2.13:4.1.0"  # the version of the image in docker-compose.yml
LOGGING = "org.slf4j:slf4j-simple:1.7.36"  # of the slf4j that the broker asks for; writes to standard error


def main() -> None:
    """Resolve, download, hash, write."""
    lines = [f"# What {BROKER} needs to run, with SHA-256. Written by `make jars`."]
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder))
        for jar in sorted(resolve(f"{BROKER}+{LOGGING}"), key=str):
            project = context.project(jar.groupId, jar.artifactId)
            path = project.at_version(jar.version).artifact().resolve()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"{jar.groupId}:{jar.artifactId}:{jar.version} {digest}")
    PINNED.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
