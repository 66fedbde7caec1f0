"""Where Kafka and the read side are: the environment says it, else what `make up` wrote for this checkout."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from notes_contracts.topics import COMMANDS_TOPIC, OUTCOMES_TOPIC
from tools.markdown_import.errors import ImportStoppedError

STACK_ENV = Path(__file__).resolve().parents[2] / ".stack" / "env"


@dataclass(frozen=True, slots=True)
class Addresses:
    """`kafka`: host:port. `query_url`: the read side, None if it is not known. The two topics' names."""

    kafka: str
    query_url: str | None
    commands: str
    outcomes: str


def find_addresses(
    query_url: str | None, environment: Mapping[str, str] = os.environ, stack_env: Path = STACK_ENV
) -> Addresses:
    """Return the addresses; `query_url` overrides. Raises ImportStoppedError if that of Kafka is missing or wrong.

    The file counts as a whole or not at all: Kafka of one system and the read side of another make no sense.
    """
    found = environment
    if not found.get("NOTES_KAFKA"):
        found = {**_read(stack_env), **environment}
    if not found.get("NOTES_KAFKA"):
        raise ImportStoppedError(
            "Nobody says where Kafka is: run `make up`, or set NOTES_KAFKA=host:port in the environment."
        )
    _check(found["NOTES_KAFKA"])
    return Addresses(
        kafka=found["NOTES_KAFKA"],
        query_url=query_url or found.get("NOTES_QUERY_URL") or None,
        commands=found.get("NOTES_TOPIC_COMMANDS") or COMMANDS_TOPIC.name,
        outcomes=found.get("NOTES_TOPIC_OUTCOMES") or OUTCOMES_TOPIC.name,
    )


def _read(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    lines = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and line[0] != "#")
    return {key.removeprefix("export ").strip(): value.strip().strip("'\"") for key, value in lines}


def _check(kafka: str) -> None:
    for address in kafka.split(","):
        host, _, port = address.strip().rpartition(":")
        if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
            raise ImportStoppedError(f"NOTES_KAFKA={kafka} is not host:port, or several with commas between.")
