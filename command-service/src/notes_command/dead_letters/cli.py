"""`dead-letters list|show|redrive|drop`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from notes_command.dead_letters.dead_letter import DeadLetterFilter, StoredDeadLetter, full_type, next_id, note_filter
from notes_command.dead_letters.shown import as_json, listed, printed_json, whole, whole_as_json
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_command.terminal import checked
from notes_contracts import Code

LIMIT_MAX: Final = 2**31 - 1


def add_arguments(top: argparse.ArgumentParser) -> None:
    """Add what `dead-letters` takes."""
    actions = top.add_subparsers(dest="action", required=True)
    position = checked(DeadLetterFilter.position)
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
    sub.add_argument("--limit", type=checked(_positive), default=100, help="at most so many, the oldest first (100)")


def letter_filter(arguments: argparse.Namespace) -> DeadLetterFilter:
    """Return which dead letters are meant. Ids that are named are meant in any state."""
    state = getattr(arguments, "state", "open")
    return DeadLetterFilter(
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


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time such as 2026-01-02T03:04:05Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= LIMIT_MAX):
        raise ValueError(f"{text!r} is not a number of dead letters; it is 1 or more")
    return int(text)


async def dead_letters(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or held back, 2 not asked properly.

    Results go to standard output, complaints to standard error.
    """
    if arguments.action == "list":
        return await _list(dead_letters, arguments)
    if arguments.action == "show":
        return await _show(dead_letters, arguments)
    if names_nothing(arguments):
        _complain("which ones? name ids, give a filter, or say --all")
        return 2
    if arguments.action == "drop":
        return await _drop(dead_letters, arguments)
    return await _redrive(dead_letters, arguments)


async def _list(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    found = await dead_letters.find(letter_filter(arguments), _limit(arguments))
    if arguments.json:
        printed_json([as_json(dead_letter) for dead_letter in found])
    else:
        print(listed(found) if found else "no dead letters")
    return 1 if _missing(arguments, found) else 0


async def _show(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    (position,) = arguments.id
    dead_letter = await dead_letters.whole(position)
    if dead_letter is None:
        _complain(f"there is no dead letter {DeadLetterFilter.text(position)}")
        return 1
    if arguments.json:
        printed_json(whole_as_json(dead_letter))
    else:
        print(whole(dead_letter))
    return 0


async def _drop(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    done = await dead_letters.drop(letter_filter(arguments), _limit(arguments))
    if arguments.json:
        printed_json({"dropped": [one.id for one in done]})
    else:
        for one in done:
            print(f"dropped {one.id}")
    return 1 if _missing(arguments, done) else 0


async def _redrive(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    done = await dead_letters.redrive(letter_filter(arguments), _limit(arguments), force=arguments.force)
    if arguments.json:
        sent = [{"id": one.id, "command_id": next_id(one)} for one in done.sent]
        held = [
            {"id": one.dead_letter.id, "note_id": one.dead_letter.note_id, "reason": one.reason} for one in done.held
        ]
        printed_json({"redriven": sent, "held": held})
    else:
        for dead_letter in done.sent:
            print(f"redriven {dead_letter.id} as command {next_id(dead_letter)}")
        for one in done.held:
            _complain(f"held back {one.dead_letter.id}: {one.reason}; --force sends it all the same")
    missing = _missing(arguments, [*done.sent, *(one.dead_letter for one in done.held)])
    return 1 if done.held or missing else 0


def _limit(arguments: argparse.Namespace) -> int:
    limit: int = arguments.limit
    return max(limit, len(arguments.id))


def _missing(arguments: argparse.Namespace, found: Sequence[StoredDeadLetter]) -> bool:
    """Say what was asked for and is not there; return whether there is such a thing."""
    if not arguments.id and len(found) == arguments.limit:
        _complain(f"there may be more: these were the oldest {arguments.limit} (--limit)")
    there = {dead_letter.position for dead_letter in found}
    gone = [DeadLetterFilter.text(position) for position in arguments.id if position not in there]
    for name in gone:
        _complain(f"there is no dead letter {name}")
    if not arguments.id and not found and arguments.action in ("redrive", "drop"):
        _complain("no dead letters match")
        return True
    return bool(gone)


def _complain(sentence: str) -> None:
    print(sentence, file=sys.stderr)
