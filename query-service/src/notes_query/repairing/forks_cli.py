"""`forks list|show|drop`."""

import argparse
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from notes_chassis.terminal import positive, print_json, printable, table
from notes_contracts import format_time
from notes_query.arguments import note_id
from notes_query.projections.recorded_event import Record
from notes_query.repairing.forks import DropForks, Forks, KeptFork

Read = Callable[[int, int, int], AsyncIterator[Sequence[Record]]]
"""Reads a partition of the topic of events from one offset to before another. Raises TopicUnavailable."""

COLUMNS: Final = ("fork", "type", "stopped", "since", "read at", "read models")


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command's grammar."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "forks", help="events under a version that another event has made: list, show, drop"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    show = actions.add_parser("show", help="one, with what it says, as it stands on the topic")
    show.add_argument("ids", nargs=1, metavar="ID", help="note:version:event")
    for name, text in (("list", "a table of them"), ("drop", "let them count for nothing")):
        action = actions.add_parser(name, help=text)
        action.add_argument("ids", nargs="*", metavar="ID", help="note:version:event")
        action.add_argument("--note", type=note_id, metavar="ID", help="of one note")
        action.add_argument("--limit", type=positive, default=1000, help="at most so many, the oldest first (1000)")
        action.add_argument("--json", action="store_true", help="for programs")
        if name == "drop":
            action.add_argument("--all", action="store_true", help="every one; else an id or a note is needed")
            action.add_argument(
                "--force", action="store_true", help="also those that stop their note: its first history is right"
            )
    return parser


async def run(arguments: argparse.Namespace, forks: Forks, drop: DropForks, read: Read) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or refused, 2 not asked properly.

    Raises StoreUnavailable, TopicUnavailable.
    """
    if arguments.action == "show":
        return await _show(arguments.ids, forks, read)
    if arguments.action == "drop" and not (arguments.all or arguments.ids or arguments.note):
        print("which ones? Name ids, give --note, or say --all", file=sys.stderr)
        return 2
    found = await forks.find(max(arguments.limit, len(arguments.ids)), arguments.note, arguments.ids or None)
    gone = [id_ for id_ in arguments.ids if id_ not in {fork.id for fork in found}]
    for id_ in gone:
        print(f"there is no fork {printable(id_)}", file=sys.stderr)
    if arguments.action == "list":
        if arguments.json:
            print_json([{**fork._asdict(), "since": format_time(fork.since)} for fork in found])
        else:
            print(table(COLUMNS, map(_row, found)) if found else "no forks")
        return 1 if gone else 0
    done = await drop(found, force=arguments.force)
    if arguments.json:
        print_json(done._asdict())
    else:
        print("\n".join(f"dropped {id_}" for id_ in done.dropped) or "nothing was dropped")
    for id_ in done.refused:
        print(f"refused: {id_} stops its note; ask for a snapshot, or --force", file=sys.stderr)
    return 1 if gone or done.refused else 0


async def _show(ids: list[str], forks: Forks, read: Read) -> int:
    found = await forks.find(1, ids=ids)
    if not found:
        print(f"there is no fork {printable(ids[0])}", file=sys.stderr)
        return 1
    (fork,) = found
    lines = {**fork._asdict(), "since": format_time(fork.since), "read_models": ", ".join(fork.read_models)}
    print("\n".join(f"{name}: {printable(str(value))}" for name, value in lines.items()))
    async for records in read(fork.partition, fork.offset, fork.offset + 1):
        for record in records:
            print(printable((record.value or b"").decode(errors="replace"), also="\n"))
    return 0


def _row(fork: KeptFork) -> tuple[Any, ...]:
    read_at = f"{fork.topic}:{fork.partition}:{fork.offset}"
    stopped = "yes" if fork.stopped else "no"
    return (fork.id, fork.type, stopped, format_time(fork.since), read_at, " ".join(fork.read_models))
