"""`builds` lists them, `drop` gives one up; `rebuild` and `switch-back` let readers have another one."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from notes_chassis.terminal import complain, positive, print_json, table
from notes_contracts import format_time
from notes_query.commands.stores import chosen, on_stores
from notes_query.composition.projector import begin_builds
from notes_query.composition.shared import Shared
from notes_query.rebuilding.drop_build import drop_build, drop_unversioned, left_over, unversioned
from notes_query.rebuilding.rebuild import UNFED_S, Built, Rebuild
from notes_query.rebuilding.stored_documents import StoredDocuments
from notes_query.rebuilding.switch_build import SwitchBuild, Switched

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
PLAIN_S: Final = 5.0
"""Seconds between lines where nobody watches."""
LOOK_FIRST: Final = 3
"""The exit code after which the command must not simply be repeated: readers were moved, or may have been."""


def add(commands: Any) -> None:
    """Add the commands' grammar."""
    parser = commands.add_parser("builds", help="which builds of the read models there are")
    parser.add_argument("--json", action="store_true", help="for programs")
    drop = commands.add_parser("drop", help="give up a build that nobody serves")
    drop.add_argument("what", type=_what, metavar="NUMBER", help=f"of the build; `{UNVERSIONED}`: as `builds` names it")
    rebuild = commands.add_parser("rebuild", help="build read models anew from the events, then switch to them")
    _switching(rebuild)
    rebuild.add_argument("--restart", action="store_true", help="drop what was built so far, and begin again")
    _switching(commands.add_parser("switch-back", help="serve the build again that was served before"))


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
    for number, left in (await left_over(shared.builds, shared.database)).items():
        print(f"build {number} is dropped, but not all of it: `drop {number}` once more for {', '.join(left)}")
    if names := await unversioned(shared.database):
        print(f"of the release without versions, `drop {UNVERSIONED}` once nobody rolls back to it: {', '.join(names)}")
    return 0


@on_stores
async def drop(arguments: argparse.Namespace, shared: Shared) -> int:
    """Drop one; return the exit code. Raises Refused, StoreUnavailable."""
    if arguments.what == UNVERSIONED:
        names = await drop_unversioned(shared.database)
        print(f"dropped: {', '.join(names) or 'nothing was there'}")
    else:
        await drop_build(shared.builds, shared.database, arguments.what)
        print(f"build {arguments.what} is dropped")
    return 0


def _switching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("read_models", nargs="*", metavar="READ_MODEL", help="these only (all)")
    parser.add_argument("--force", action="store_true", help="switch though something would be missing")
    parser.add_argument("--timeout", type=float, help="give up after so many seconds; it can be resumed")


@dataclass(slots=True)
class Shown:
    """Shows progress: one line that changes on a terminal, a line now and then elsewhere."""

    out: Any = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    _shown_at: dict[int, float] = field(default_factory=dict)
    _complained_at: float = 0.0

    def __call__(self, built: Built) -> None:
        """Show how far a build is."""
        number, now = built.build.number, self.clock()
        if built.unfed_s >= UNFED_S and now - self._complained_at >= UNFED_S:
            self._complained_at = now
            self._say(f"build {number}: nobody has fed it for {built.unfed_s:.0f} s; is a projector running?")
        if self.out.isatty():
            self.out.write(f"\r{line(built)}\x1b[K")
            self.out.flush()
        elif now - self._shown_at.get(number, -PLAIN_S) >= PLAIN_S:
            self._shown_at[number] = now
            self._say(line(built))

    def _say(self, text: str) -> None:
        self.out.write(f"\r{text}\x1b[K\n" if self.out.isatty() else f"{text}\n")
        self.out.flush()


def line(built: Built) -> str:
    """Return the progress of a build in one line."""
    share = 100 * built.done / built.total if built.total else 100.0
    left = "" if built.left_s is None or built.done == built.total else f", {built.left_s:.0f} s left"
    return (
        f"build {built.build.number} ({', '.join(built.build.versions)}): {share:.0f} %, "
        f"{built.done} of {built.total} events, {built.per_second:.0f}/s{left}"
    )


@on_stores
async def rebuild(arguments: argparse.Namespace, shared: Shared) -> int:
    """Rebuild, or switch back; return the exit code. Raises Refused, StoreUnavailable, TopicUnavailable."""
    switching, read_models = make_rebuild(shared, Shown()), chosen(arguments.read_models, list(shared.read_models))
    try:
        if arguments.command == "rebuild":
            done = await switching(
                read_models, force=arguments.force, restart=arguments.restart, timeout_s=arguments.timeout
            )
        else:
            done = await switching.back(read_models, force=arguments.force, timeout_s=arguments.timeout)
    except TimeoutError:
        complain(f"not done within {arguments.timeout:g} s; run it again to go on")
        return 1
    return tell(done)


def tell(done: Switched) -> int:
    """Say what was done; return the exit code."""
    moves, after_s, problem = done
    for move in moves:
        print(f"{move.read_model}: build {move.to} is served, {move.away_from} is kept and fed")
    if after_s is None:
        complain(f"{problem}. Look at `builds` before you give the command once more: it would switch once more")
        return LOOK_FIRST
    print(f"every instance has followed after {after_s:.2f} s")
    return 0


def make_rebuild(shared: Shared, show: Callable[[Built], None]) -> Rebuild:
    """Return what rebuilds and switches."""
    begin = begin_builds(shared)
    return Rebuild(begin, SwitchBuild(begin, StoredDocuments(shared.database)), shared.database, show)
