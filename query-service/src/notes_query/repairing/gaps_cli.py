"""`gaps`: notes of which a version is missing, or has come twice and differently."""

import argparse
import sys
from typing import Any

from notes_chassis.terminal import positive, print_json, table
from notes_contracts import format_time
from notes_query.arguments import note_id
from notes_query.repairing.gaps import Gap, Gaps

COLUMNS = ("note", "version", "missing", "waiting", "awaited", "forks", "stopped", "since")


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command's grammar."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "gaps", help="notes of which a version is missing, or has come twice and differently"
    )
    parser.add_argument("--note", type=note_id, metavar="ID", help="this one only")
    parser.add_argument("--limit", type=positive, default=1000, help="at most so many, the oldest first (1000)")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


async def run(arguments: argparse.Namespace, gaps: Gaps) -> int:
    """Show them; return the exit code: 0 none, 1 some. Raises StoreUnavailable, Building."""
    found = await gaps.find(arguments.limit, arguments.note)
    if arguments.json:
        print_json([{**gap._asdict(), "since": format_time(gap.since)} for gap in found])
    elif found:
        print(table(COLUMNS, [_row(gap) for gap in found]))
    else:
        print("no gaps")
    if len(found) == arguments.limit:
        print(f"there may be more: these are the oldest {arguments.limit} (--limit)", file=sys.stderr)
    return 1 if found else 0


def _row(gap: Gap) -> tuple[Any, ...]:
    stopped = "yes" if gap.stopped else "no"
    return (gap.note_id, gap.version, gap.missing, gap.waiting, gap.awaited, gap.forks, stopped, format_time(gap.since))
