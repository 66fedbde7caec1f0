"""`dead-letters list|show|redrive|drop`: what is the same of it in every service."""

import argparse
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from notes_chassis.dead_letters import CODES, STATES, DeadLetterFilter, DeadLetters, K, Parts, Position, as_base64
from notes_chassis.terminal import checked, complain, moment, positive, print_json, printable, shortened, table

_NAME_WIDTH: Final = 14
_REASON_WIDTH: Final = 80


class Grammar(NamedTuple):
    """What a service says of its own dead letters.

    `redrives`: what `redrive` does. `subject`: what one is about; `subject_of` reads the option of that name,
    `type_of` a type, such as `example`. Both raise ValueError with a sentence. `shown_type`: for the table.
    """

    redrives: str
    subject: str
    subject_of: Callable[[str], str]
    type_of: Callable[[str], str]
    example: str
    shown_type: Callable[[str], str] = str


def add_arguments(parser: argparse.ArgumentParser, said: Grammar) -> argparse.ArgumentParser:
    """Add what `dead-letters` takes, and return the parser of `redrive`, which may take more."""
    actions = parser.add_subparsers(dest="action", required=True)
    _ids(actions.add_parser("show", help="one, whole"), 1, "for programs; bytes are base64")
    _which(listing := actions.add_parser("list", help="a table of them"), said)
    listing.add_argument("--state", choices=(*STATES, "all"), default="open", help="(open)")
    _which(redrive := actions.add_parser("redrive", help=said.redrives), said)
    _which(drop := actions.add_parser("drop", help="mark them as dealt with"), said)
    for change in (redrive, drop):
        change.add_argument("--all", action="store_true", help="every open one; else an id or a filter is needed")
    return redrive


def _ids(action: argparse.ArgumentParser, number: int | str, json: str) -> None:
    place = "topic:partition:offset; in any state"
    action.add_argument("ids", nargs=number, type=checked(Position.parse), metavar="ID", help=place)
    action.add_argument("--json", action="store_true", help=json)


def _which(action: argparse.ArgumentParser, said: Grammar) -> None:
    _ids(action, "*", "for programs")
    action.add_argument("--since", type=moment, help="not before this time, such as 2026-01-02T03:04:05Z")
    action.add_argument("--until", type=moment, help="before this time")
    action.add_argument("--reason", choices=CODES, help="of this code")
    of_one = f"of one {said.subject}"
    action.add_argument(f"--{said.subject}", dest="subject", type=checked(said.subject_of), help=of_one)
    action.add_argument("--type", type=checked(said.type_of), help=f"of one type, such as {said.example}")
    action.add_argument("--limit", type=positive, default=100, help="at most so many, the oldest first (100)")


async def run(
    arguments: argparse.Namespace, said: Grammar, dead_letters: DeadLetters[K], redrive: Callable[[], Awaitable[int]]
) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found, 2 not asked properly, or that of `redrive`.

    Results go to standard output, complaints to standard error.
    """
    if arguments.action == "show":
        (position,) = arguments.ids
        whole = await dead_letters.whole(position)
        if whole is None:
            complain(f"there is no dead letter {position}")
            return 1
        _show_whole(arguments, whole.as_json(), whole.parts)
        return 0
    if arguments.action == "list":
        found = [one.as_json() for one in await dead_letters.find(wanted(arguments), limit(arguments))]
        show(arguments, found, _listed(found, said) if found else "no dead letters")
        return 1 if missing(arguments, [one["id"] for one in found]) else 0
    if names_nothing(arguments):
        return 2
    if arguments.action == "redrive":
        return await redrive()
    dropped = await dead_letters.drop(wanted(arguments), limit(arguments))
    show(arguments, {"dropped": dropped}, "\n".join(f"dropped {id_}" for id_ in dropped))
    return 1 if missing(arguments, dropped) else 0


def _listed(found: Sequence[Mapping[str, Any]], said: Grammar) -> str:
    rows = [
        (
            *(one[name] for name in ("id", "time", "state", "code")),
            None if one["type"] is None else said.shown_type(one["type"]),
            one[f"{said.subject}_id"],
            shortened(one["reason"], _REASON_WIDTH),
        )
        for one in found
    ]
    return table(("id", "time", "state", "code", "type", said.subject, "reason"), rows)


def wanted(arguments: argparse.Namespace) -> DeadLetterFilter:
    """Return which dead letters are meant. Ids that are named are meant in any state."""
    state = getattr(arguments, "state", "open")
    return DeadLetterFilter(
        ids=tuple(arguments.ids) or None,
        since=arguments.since,
        until=arguments.until,
        reason=arguments.reason,
        subject=arguments.subject,
        type=arguments.type,
        state=None if state == "all" or arguments.ids else state,
    )


def limit(arguments: argparse.Namespace) -> int:
    """Return how many are meant at most: all that are named."""
    return max(int(arguments.limit), len(arguments.ids))


def names_nothing(arguments: argparse.Namespace) -> bool:
    """Return, and say, whether a change was asked for without saying to what."""
    meant = (arguments.ids, arguments.since, arguments.until, arguments.reason, arguments.subject, arguments.type)
    if arguments.all or any(meant):
        return False
    complain("which ones? Name ids, give a filter, or say --all")
    return True


def missing(arguments: argparse.Namespace, found: Collection[str]) -> bool:
    """Say what was asked for and is not among the ids that were found; return whether there is such a thing."""
    if not arguments.ids and len(found) == getattr(arguments, "limit", None):
        complain(f"there may be more: these are the oldest {arguments.limit} (--limit)")
    gone = [text for text in map(str, arguments.ids) if text not in found]
    for text in gone:
        complain(f"there is no dead letter {text}")
    if not arguments.ids and not found and arguments.action != "list":
        complain("no dead letters match")
        return True
    return bool(gone)


def _show_whole(arguments: argparse.Namespace, facts: Mapping[str, Any], record: Parts) -> None:
    """Print all of a dead letter and its record; bytes are base64 for programs, as no text could hold all of them."""
    headers = [[name, as_base64(value)] for name, value in record.headers]
    data = {**facts, "key": as_base64(record.key), "headers": headers, "value": as_base64(record.value)}
    lines = [(name, "-" if value is None else printable(str(value))) for name, value in facts.items()]
    lines.append(("key", _text(record.key)))
    lines += [("header", f"{printable(name)}: {_text(value)}") for name, value in record.headers]
    lines.append(("value", _text(record.value, also="\n\t")))
    show(arguments, data, "\n".join(f"{name:{_NAME_WIDTH}}{value}" for name, value in lines))


def _text(value: bytes | None, also: str = "") -> str:
    return "null" if value is None else printable(value.decode(errors="backslashreplace"), also=also)


def show(arguments: argparse.Namespace, data: Any, text: str) -> None:
    """Print for programs or for people, as was asked."""
    if arguments.json:
        print_json(data)
    elif text:
        print(text)
