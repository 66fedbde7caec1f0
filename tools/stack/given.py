"""Servers that the environment gives: we use them, and neither start nor stop them."""

import json
import os
from collections.abc import Mapping

from tools.stack.errors import UnreachableError, in_short
from tools.stack.folder import Folder, read_json, write_whole
from tools.stack.health import CHECKS

VARIABLES = {"kafka": "NOTES_KAFKA", "postgres": "NOTES_POSTGRES", "mongo": "NOTES_MONGO"}


def given_servers(folder: Folder | None = None) -> dict[str, str]:
    """Return the addresses that the environment gives, by server, apart from a folder's own.

    Who has sourced `.stack/env` has our own addresses in the environment; to `up` they are no others.
    """
    ours = read_json(folder.root / "ours.json") if folder else None
    given = {name: os.environ[key] for name, key in VARIABLES.items() if os.environ.get(key)}
    return {name: address for name, address in given.items() if (ours or {}).get(name) != address}


def remember_ours(folder: Folder, addresses: Mapping[str, str]) -> None:
    """Keep over `down` which addresses were ours."""
    known = read_json(folder.root / "ours.json") or {}
    write_whole(folder.root / "ours.json", json.dumps({**known, **addresses}))


def verify(name: str, address: str) -> None:
    """Check an address that the environment gives.

    Raises:
        UnreachableError: with the reason.

    """
    try:
        CHECKS[name](address)
    except Exception as error:
        raise UnreachableError(
            f"{VARIABLES[name]} is set to {address}, which does not answer: {in_short(error)}"
        ) from error
