"""Types of arguments on the command line, for argparse."""

import argparse

from notes_contracts import parse_id


def note_id(text: str) -> str:
    """Return an id in lower case, for argparse."""
    if (found := parse_id(text)) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no UUID with dashes")
    return found


def positive(text: str) -> int:
    """Return a number above 0, for argparse."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
