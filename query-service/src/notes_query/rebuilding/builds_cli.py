"""`builds` lists them; `drop` gives one up."""

import argparse
import sys
from typing import Any, NamedTuple

from notes_chassis.terminal import positive, print_json, table
from notes_contracts import format_time
from notes_query.errors import Refused
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import fed
from notes_query.rebuilding.switch_build import DropBuild
from notes_query.rebuilding.topic_offsets import TopicOffsets

COLUMNS = ("build", "projector", "state", "read models", "serves", "to switch back to", "behind", "created")


class Listed(NamedTuple):
    """A build as it is shown. `behind`: records of the topic that it has not stored."""

    build: int
    projector: str
    state: str
    read_models: list[str]
    serves: list[str]
    previous: list[str]
    behind: int
    created_at: str


def add(commands: Any) -> None:
    """Add the commands' grammar."""
    parser = commands.add_parser("builds", help="which builds of the read models there are")
    parser.add_argument("--json", action="store_true", help="for programs")
    drop = commands.add_parser("drop", help="give up a build that is not served")
    drop.add_argument("number", type=positive, help="of the build")


async def show(arguments: argparse.Namespace, builds: BuildStore, topic: TopicOffsets) -> int:
    """List them; return the exit code. Raises StoreUnavailable, TopicUnavailable."""
    active_builds, ends, beginnings = await builds.active_builds(), await topic.ends(), await topic.beginnings()
    listed = []
    for one in fed(await builds.all()):
        committed = await topic.committed(one.group)
        listed.append(
            Listed(
                build=one.number,
                projector=one.projector,
                state=one.state,
                read_models=list(one.read_models),
                serves=[name for name, active in active_builds.items() if active.build == one.number],
                previous=[name for name, active in active_builds.items() if active.previous == one.number],
                behind=sum(max(0, end - committed.get(at, beginnings[at])) for at, end in ends.items()),
                created_at=format_time(one.created_at),
            )
        )
    if arguments.json:
        print_json([one._asdict() for one in listed])
    else:
        rows = [tuple(", ".join(cell) or None if isinstance(cell, list) else cell for cell in one) for one in listed]
        print(table(COLUMNS, rows))
    return 0


async def drop(arguments: argparse.Namespace, drop_build: DropBuild) -> int:
    """Drop one; return the exit code. Raises StoreUnavailable."""
    try:
        await drop_build(arguments.number)
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    print(f"build {arguments.number} is dropped")
    return 0
