"""`builds` lists them; `drop` gives one up."""

import argparse
from typing import Any, Final

from notes_chassis.terminal import positive, print_json, table
from notes_contracts import format_time
from notes_query.commands.stores import on_stores
from notes_query.composition.shared import Shared
from notes_query.rebuilding.drop_build import Unversioned, drop_build

UNVERSIONED: Final = "unversioned"
COLUMNS: Final = (
    "build",
    "projector",
    "state",
    "read models",
    "serves",
    "to switch back to",
    "of other releases",
    "fed by",
    "behind",
    "created",
)


def add(commands: Any) -> None:
    """Add the commands' grammar."""
    parser = commands.add_parser("builds", help="which builds of the read models there are")
    parser.add_argument("--json", action="store_true", help="for programs")
    drop = commands.add_parser("drop", help="give up a build that nobody serves")
    drop.add_argument("what", type=_what, metavar="NUMBER", help=f"of the build; `{UNVERSIONED}`: as `builds` names it")


def _what(text: str) -> int | str:
    return text if text == UNVERSIONED else positive(text)


@on_stores
async def builds(arguments: argparse.Namespace, shared: Shared) -> int:
    """List them; return the exit code. Raises StoreUnavailable, TopicUnavailable.

    `serves`, `previous`: the read models that readers of this release get from a build, or got before.
    `other_releases`: those that readers of releases with other versions get. `fed_by`: how many instances. `behind`:
    records of the topic that it has not stored.
    """
    ends, beginnings = await shared.topic.ends(), await shared.topic.beginnings()
    known, active, live = await shared.builds.look()
    mine = list(shared.builds.mine(active).values())
    listed: list[dict[str, Any]] = []
    for one in [build for build in known if build.state != "dropped"]:
        committed = await shared.topic.committed(one.group)
        listed.append(
            {
                "build": one.number,
                "projector": one.projector,
                "state": one.state,
                "read_models": [f"{name} v{version}" for name, version in one.versions.items()],
                "serves": [at.read_model for at in mine if at.build == one.number],
                "previous": [at.read_model for at in mine if at.previous == one.number],
                "other_releases": sorted({at.read_model for at in active if at.build == one.number and at not in mine}),
                "fed_by": sum(one.number in instance.feeds for instance in live),
                "behind": sum(max(0, end - committed.get(at, beginnings[at])) for at, end in ends.items()),
                "created_at": format_time(one.created_at),
            }
        )
    if arguments.json:
        print_json(listed)
        return 0
    rows = [[", ".join(cell) or None if isinstance(cell, list) else cell for cell in one.values()] for one in listed]
    print(table(COLUMNS, rows))
    for unfed in [one["build"] for one in listed if not one["fed_by"]]:
        print(f"nobody feeds build {unfed}: `drop {unfed}` unless a release that has it comes back")
    if names := await Unversioned(shared.database).collections():
        print(f"of the release without versions, `drop {UNVERSIONED}` once nobody rolls back to it: {', '.join(names)}")
    return 0


@on_stores
async def drop(arguments: argparse.Namespace, shared: Shared) -> int:
    """Drop one; return the exit code. Raises Refused, StoreUnavailable."""
    if arguments.what == UNVERSIONED:
        names = await Unversioned(shared.database).drop()
        print(f"dropped: {', '.join(names) or 'nothing was there'}")
    else:
        await drop_build(shared.builds, shared.database, arguments.what)
        print(f"build {arguments.what} is dropped")
    return 0
