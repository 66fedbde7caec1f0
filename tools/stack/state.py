"""What is up, and the addresses that others read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tools.stack.folder import Folder, read_json, write_whole

VARIABLES = {
    "kafka": "NOTES_KAFKA",
    "postgres": "NOTES_POSTGRES",
    "mongo": "NOTES_MONGO",
    "command": "NOTES_COMMAND_URL",
    "query": "NOTES_QUERY_URL",
}
SERVERS = ("kafka", "postgres", "mongo")


@dataclass(frozen=True)
class State:
    """A stack that is up, or was on its way up when it was interrupted.

    Args:
        backend: `docker` or `native`.
        addresses: by name, as `VARIABLES` lists them; empty until all are known.
        given: servers that the environment gave, which we neither start nor stop.

    """

    backend: str
    addresses: dict[str, str] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)


def load_state(folder: Folder) -> State | None:
    """Return what is up, None if nothing is."""
    content = read_json(folder.state_file)
    return State(**content) if content else None


def last_backend(folder: Folder) -> str | None:
    """Return the backend that has the data of the last start, None if there are none."""
    return folder.backend_file.read_text() if folder.backend_file.exists() else None


def save_state(folder: Folder, state: State) -> None:
    """Write the state, and the addresses as lines for shells once all are known."""
    write_whole(folder.state_file, json.dumps(asdict(state)))
    if len(state.given) < len(SERVERS):
        write_whole(folder.backend_file, state.backend)
    if state.addresses:
        write_whole(folder.env_file, shell_lines(state.addresses))


def shell_lines(addresses: Mapping[str, str]) -> str:
    """Return KEY=VALUE lines; none of the values has a character that a shell's assignment would expand."""
    return "".join(f"{key}={addresses[name]}\n" for name, key in VARIABLES.items() if name in addresses)
