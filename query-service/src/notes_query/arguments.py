"""Arguments that several commands take, for argparse."""

import argparse
from collections.abc import Sequence

from notes_contracts import parse_id
from notes_query.errors import Refused


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
