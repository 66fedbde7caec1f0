"""What is up, the addresses that others read, and the servers that the environment gives: we only use those."""

import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tools.stack import kafka_users
from tools.stack.errors import StackError
from tools.stack.folder import STACK, Folder, read_json, write_whole
from tools.stack.health import trouble

VARIABLES = {
    "kafka": "NOTES_KAFKA",
    "postgres": "NOTES_POSTGRES",
    "mongo": "NOTES_MONGO",
    "command": "NOTES_COMMAND_URL",
    "query": "NOTES_QUERY_URL",
    "web": "NOTES_WEB_URL",
}
FURTHER = {
    "command_ops": "NOTES_COMMAND_OPS_URL",
    "query_ops": "NOTES_QUERY_OPS_URL",
    "auth": "NOTES_AUTH",
    "issuer": "NOTES_OIDC_ISSUER",
    **kafka_users.VARIABLES,
}
"""What else a person or a program has to know of the stack."""
TITLES = {
    "kafka": "Kafka",
    "postgres": "PostgreSQL",
    "mongo": "MongoDB",
    "command": "command-service",
    "query": "query-service",
    "web": "page",
}
"""What people call it."""
SERVERS = ("kafka", "postgres", "mongo")
PLAIN = re.compile(r"[\w@%+=:,./?-]*", re.ASCII)
_USER = re.compile(r"(://[^:/@]*:).*@")
_PARAMETER = re.compile(r"(password=)[^&\s]*", re.IGNORECASE)


CHOICES = {"BACKEND": ("docker", "native", "auto"), "AUTH": ("none", "oidc")}


def asked(variable: str) -> str | None:
    """Return what a variable of `make up` says, None if it is not set. Raises StackError: it is none of `CHOICES`."""
    value = os.environ.get(variable) or None
    if value not in (None, *CHOICES[variable]):
        raise StackError(f"{variable} is {value!r}; it can be {', '.join(CHOICES[variable])}.")
    return value


@dataclass(frozen=True)
class State:
    """A stack that is up, or was on its way up when it was interrupted.

    `backend`: docker or native. `addresses`: by name, as `VARIABLES` and `FURTHER` list them; `auth` alone until
    all are known. `given`: servers that the environment gave.
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
    write_whole(folder.state_file, json.dumps(asdict(state)), mode=0o600)  # passwords may be in it, as in the other
    if len(state.given) < len(SERVERS):
        write_whole(folder.backend_file, state.backend)
    if "command" in state.addresses:
        write_whole(folder.env_file, shell_lines(state.addresses), mode=0o600)


def settings(addresses: Mapping[str, str]) -> dict[str, str]:
    """Return what is known, as the environment has it."""
    return {key: addresses[name] for name, key in (VARIABLES | FURTHER).items() if name in addresses}


def shell_lines(addresses: Mapping[str, str]) -> str:
    """Return KEY=VALUE lines. A value is quoted only if a shell's assignment would not take it as it is."""
    known = settings(addresses).items()
    return "".join(f"{key}={value if PLAIN.fullmatch(value) else shlex.quote(value)}\n" for key, value in known)


def shown(address: str) -> str:
    """Return addresses, or a text that quotes some, as a terminal or a log of CI may have them: without passwords."""
    return _PARAMETER.sub(r"\1…", _USER.sub(r"\1…@", address))


def given_servers(folder: Folder | None = None) -> dict[str, str]:
    """Return the addresses that the environment gives, by server, apart from a folder's own.

    Who has sourced `.stack/env` has our own addresses in the environment; to `up` they are no others.
    """
    ours = (read_json(folder.ours_file) if folder else None) or {}
    given = {name: os.environ.get(VARIABLES[name]) for name in SERVERS}
    return {name: address for name, address in given.items() if address and ours.get(name) != address}


def forget_ours(folder: Folder = STACK) -> bool:
    """Drop what `. .stack/env` has set, if anything; who calls this starts servers of its own. Tell whether it had."""
    theirs = given_servers(folder).keys()
    ours = [VARIABLES[name] for name in given_servers().keys() - theirs]
    if ours:
        for key in (*ours, *(key for name, key in (VARIABLES | FURTHER).items() if name not in SERVERS)):
            os.environ.pop(key, None)
    return bool(ours)


def remember_ours(folder: Folder, addresses: Mapping[str, str]) -> None:
    """Keep over `down` which addresses were ours."""
    write_whole(folder.ours_file, json.dumps({**(read_json(folder.ours_file) or {}), **addresses}))


def verify(name: str, address: str) -> None:
    """Check an address that the environment gives. Raises StackError, with the reason."""
    if why := trouble(name, address):
        raise StackError(f"{VARIABLES[name]} is set to {shown(address)}, which does not answer: {shown(why)}")
