"""What `dead-letters` takes on the command line."""

import argparse
from datetime import UTC, datetime
from typing import Final

from notes_command.dead_letters.dead_letter import LetterFilter, note_filter
from notes_command.terminal import checked
from notes_contracts import Code

_PREFIX: Final = "notes.command."
_VERSION: Final = ".v1"
LIMIT_MAX: Final = 2**31 - 1


def add_arguments(top: argparse.ArgumentParser) -> None:
    """Add what `dead-letters` takes."""
    actions = top.add_subparsers(dest="action", required=True)
    position = checked(LetterFilter.position)
    show = actions.add_parser("show", help="one, whole")
    show.add_argument("id", nargs=1, type=position, help="topic:partition:offset")
    show.add_argument("--json", action="store_true", help="for programs; bytes are base64")
    for name, text in (
        ("list", "a table of them"),
        ("redrive", "send them back, each under a new command id"),
        ("drop", "mark them as dealt with"),
    ):
        sub = actions.add_parser(name, help=text)
        sub.add_argument("id", nargs="*", type=position, help="topic:partition:offset")
        _filters(sub)
        if name == "list":
            states = ("open", "redriven", "dropped", "all")
            sub.add_argument("--state", choices=states, default="open", help="(open)")
        else:
            sub.add_argument("--all", action="store_true", help="needed where neither an id nor a filter is given")
        if name == "redrive":
            why = "also those whose notes have changed since, or have an older open dead letter"
            sub.add_argument("--force", action="store_true", help=why)


def _filters(sub: argparse.ArgumentParser) -> None:
    codes = (Code.UNDECODABLE.value, Code.INTERNAL.value)
    sub.add_argument("--json", action="store_true", help="for programs")
    sub.add_argument("--since", type=checked(_time), help="not before this time, such as 2026-01-02T03:04:05Z")
    sub.add_argument("--until", type=checked(_time), help="before this time")
    sub.add_argument("--reason", choices=codes, help="of this code")
    sub.add_argument("--note", type=checked(note_filter), help="of one note")
    sub.add_argument("--type", type=full_type, help="of one command type, such as update-note")
    sub.add_argument("--limit", type=checked(_limit), default=100, help="at most so many, the oldest first (100)")


def letter_filter(arguments: argparse.Namespace) -> LetterFilter:
    """Return which dead letters are meant. Ids that are named are meant in any state."""
    state = getattr(arguments, "state", "open")
    return LetterFilter(
        ids=tuple(arguments.id) or None,
        since=arguments.since,
        until=arguments.until,
        reason=arguments.reason,
        note=arguments.note,
        type=arguments.type,
        state=None if state == "all" or arguments.id else state,
    )


def names_nothing(arguments: argparse.Namespace) -> bool:
    """Return whether a change was asked for without saying to what."""
    filters = (arguments.since, arguments.until, arguments.reason, arguments.note, arguments.type)
    return not (arguments.id or arguments.all or any(filters))


def full_type(text: str) -> str:
    """Return a command type; `update-note` is short for notes.command.update-note.v1."""
    return text if "." in text else f"{_PREFIX}{text}{_VERSION}"


def short_type(text: str) -> str:
    """Return what `full_type` would make whole; a type that is not of that form as it is."""
    middle = text.removeprefix(_PREFIX).removesuffix(_VERSION)
    return middle if "." not in middle and full_type(middle) == text else text


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time such as 2026-01-02T03:04:05Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= LIMIT_MAX):
        raise ValueError(f"{text!r} is no number of dead letters; it is 1 or more")
    return int(text)
