"""Arguments on the command line, for argparse; and the two commands that are nothing but their arguments."""

import argparse
from collections.abc import Sequence
from typing import Any

from notes_contracts import parse_id
from notes_query.errors import Refused


def serve(commands: Any) -> None:
    """Add the grammar of `serve`."""
    parser = commands.add_parser("serve", help="run the projector and the HTTP API until SIGTERM")
    parser.add_argument("--only", choices=("projector", "api"), help="run this half alone")


def topics(commands: Any) -> None:
    """Add the grammar of `topics`."""
    parser = commands.add_parser("topics", help="create the topics that are missing")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for Kafka (60)")


def note_id(text: str) -> str:
    """Return an id in lower case."""
    if (found := parse_id(text)) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a UUID with dashes")
    return found


def chosen(named: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the read models that are named, each once; all known ones if none is. Raises Refused for another name."""
    if unknown := sorted(set(named) - set(known)):
        raise Refused(f"there is no read model {', '.join(unknown)}; there are {', '.join(known)}")
    return [read_model for read_model in known if not named or read_model in named]
