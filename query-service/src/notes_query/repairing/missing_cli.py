"""`missing list|show|drop`: last versions that were announced and did not come."""

import argparse
import sys
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from notes_chassis.terminal import positive, print_json, table
from notes_contracts import format_time
from notes_query.arguments import note_id
from notes_query.repairing.version_store import MissingVersions

COLUMNS: Final = ("note", "announced", "since")


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command's grammar."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "missing", help="last versions that outcomes have announced and that did not come: list, show, drop"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    for name, text in (
        ("list", "a table of them"),
        ("show", "of these notes"),
        ("drop", "wait for them no longer"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("ids", nargs="*" if name == "list" else "+", type=note_id, metavar="ID", help="a note's id")
        action.add_argument("--limit", type=positive, default=1000, help="at most so many, the oldest first (1000)")
        action.add_argument("--json", action="store_true", help="for programs")
    return parser


async def run(
    arguments: argparse.Namespace, missing: MissingVersions, heal: Callable[[Collection[str]], Awaitable[None]]
) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found. Raises StoreUnavailable.

    `heal` takes the mark from documents of which nothing else is missing.
    """
    found = await missing.of(arguments.ids) if arguments.ids else await missing.oldest(arguments.limit)
    gone = set(arguments.ids) - {one.note_id for one in found}
    for id_ in sorted(gone):
        print(f"nothing is missing of {id_}", file=sys.stderr)
    if arguments.action == "drop":
        await missing.forget([one.note_id for one in found])
        await heal([one.note_id for one in found])
    rows = [(one.note_id, one.version, format_time(one.since)) for one in found]
    if arguments.json:
        print_json([dict(zip(("note_id", "version", "since"), row, strict=True)) for row in rows])
    elif arguments.action == "drop":
        print("\n".join(f"dropped {one.note_id}: version {one.version}" for one in found))
    else:
        print(table(COLUMNS, rows) if rows else "nothing is missing")
    return 1 if gone else 0
