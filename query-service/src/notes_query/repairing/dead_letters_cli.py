"""`dead-letters list|show|redrive|drop`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from notes_contracts import Code
from notes_query.console.arguments import note_id, positive
from notes_query.console.table import print_json
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.repairing.dead_letters import STATES, KeptLetter, LetterFilter, checked_id
from notes_query.repairing.dead_letters_shown import (
    letter_as_json,
    letter_in_full,
    letters_as_table,
    redriven_as_json,
    redriven_as_text,
    with_record_as_json,
)
from notes_query.repairing.redrive import Redrive

CODES = (Code.UNDECODABLE.value, Code.INTERNAL.value)


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command's grammar."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "dead-letters", help="records that nobody could process: list, show, redrive, drop"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    show = actions.add_parser("show", help="one, whole")
    show.add_argument("ids", nargs=1, type=_id, metavar="ID", help="topic:partition:offset")
    show.add_argument("--json", action="store_true", help="for programs; bytes are base64")
    for name, text in (
        ("list", "a table of them"),
        ("redrive", "apply them to the documents now"),
        ("drop", "mark them as dealt with"),
    ):
        _add_filters(actions.add_parser(name, help=text), name)
    return parser


def _add_filters(action: argparse.ArgumentParser, name: str) -> None:
    action.add_argument("ids", nargs="*", type=_id, metavar="ID", help="topic:partition:offset; in any state")
    action.add_argument("--since", type=_time, help="not before this time, such as 2026-01-02T03:04:05Z")
    action.add_argument("--until", type=_time, help="before this time")
    action.add_argument("--reason", choices=CODES, help="of this code")
    action.add_argument("--note", type=note_id, metavar="ID", help="of one note")
    action.add_argument("--type", help="of one type, such as notes.event.note-updated.v1")
    action.add_argument("--limit", type=positive, default=100, help="at most so many, the oldest first (100)")
    action.add_argument("--json", action="store_true", help="for programs")
    if name == "list":
        action.add_argument("--state", choices=(*STATES, "all"), default="open", help="(open)")
    else:
        action.add_argument("--all", action="store_true", help="every open one; else an id or a filter is needed")


async def run(
    arguments: argparse.Namespace, letters: DeadLetters, redrive: Redrive, clock: Callable[[], datetime]
) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or failed again, 2 not asked properly.

    Results go to standard output, complaints to standard error. Raises StoreUnavailable.
    """
    if arguments.action == "show":
        return await _show(arguments, letters)
    if arguments.action == "list":
        found = await letters.find(_filter(arguments), _limit(arguments))
        _print(arguments, [letter_as_json(one) for one in found], letters_as_table(found) or "no dead letters")
        return 1 if _complained(arguments, found) else 0
    named = (arguments.ids, arguments.since, arguments.until, arguments.reason, arguments.note, arguments.type)
    if not (arguments.all or any(named)):
        _complain("which ones? Name ids, give a filter, or say --all")
        return 2
    if arguments.action == "drop":
        found = await letters.find(_filter(arguments), _limit(arguments))
        await letters.close([one.id for one in found], "dropped", clock())
        _print(arguments, {"dropped": [one.id for one in found]}, "\n".join(f"dropped {one.id}" for one in found))
        return 1 if _complained(arguments, found) else 0
    done = await redrive(_filter(arguments), _limit(arguments))
    _print(arguments, [redriven_as_json(one) for one in done], "\n".join(map(redriven_as_text, done)))
    complained = _complained(arguments, [one.letter for one in done])
    return 1 if complained or any(one.failure for one in done) else 0


async def _show(arguments: argparse.Namespace, letters: DeadLetters) -> int:
    (id_,) = arguments.ids
    letter = await letters.whole(id_)
    if letter is None or letter.record is None:
        _complain(f"there is no dead letter {id_}")
        return 1
    _print(arguments, with_record_as_json(letter), letter_in_full(letter))
    return 0


def _filter(arguments: argparse.Namespace) -> LetterFilter:
    state = getattr(arguments, "state", "open")
    return LetterFilter(
        ids=tuple(arguments.ids) or None,
        since=arguments.since,
        until=arguments.until,
        reason=arguments.reason,
        note=arguments.note,
        type=arguments.type,
        state=None if state == "all" or arguments.ids else state,
    )


def _limit(arguments: argparse.Namespace) -> int:
    return max(int(arguments.limit), len(arguments.ids))


def _print(arguments: argparse.Namespace, data: Any, text: str) -> None:
    if arguments.json:
        print_json(data)
    elif text:
        print(text)


def _complained(arguments: argparse.Namespace, found: Sequence[KeptLetter]) -> bool:
    """Say what was asked for and is not there; return whether there is such a thing."""
    if not arguments.ids and len(found) == arguments.limit:
        _complain(f"there may be more: these are the oldest {arguments.limit} (--limit)")
    gone = [id_ for id_ in arguments.ids if id_ not in {letter.id for letter in found}]
    for id_ in gone:
        _complain(f"there is no dead letter {id_}")
    if not (arguments.ids or found) and arguments.action != "list":
        _complain("no dead letter is like that")
        return True
    return bool(gone)


def _complain(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _id(text: str) -> str:
    try:
        return checked_id(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-01-02T03:04:05Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
