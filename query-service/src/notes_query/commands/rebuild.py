"""`rebuild` and `switch-back`: another build for readers."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from notes_chassis.terminal import complain
from notes_query.commands.stores import chosen, on_stores
from notes_query.composition.projector import begin_builds
from notes_query.composition.shared import Shared
from notes_query.rebuilding.rebuild import UNFED_S, Built, Rebuild, Switched
from notes_query.rebuilding.stored_documents import StoredDocuments
from notes_query.rebuilding.switch_build import SwitchBuild

PLAIN_S: Final = 5.0
"""Seconds between lines where nobody watches."""
LOOK_FIRST: Final = 3
"""The exit code after which the command must not simply be repeated: readers were moved, or may have been."""


def add(commands: Any) -> None:
    """Add the commands' grammar."""
    rebuild = commands.add_parser("rebuild", help="build read models anew from the events, then switch to them")
    _switching(rebuild)
    rebuild.add_argument("--restart", action="store_true", help="drop what was built so far, and begin again")
    _switching(commands.add_parser("switch-back", help="serve the build again that was served before"))


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
    for move in done.moves:
        print(f"{move.read_model}: build {move.to} is served, {move.away_from} is kept and fed")
    after_s, problem = done.followed
    if after_s is None:
        complain(f"{problem}. Look at `builds` before you give the command once more: it would switch once more")
        return LOOK_FIRST
    print(f"every instance has followed after {after_s:.2f} s")
    return 0


def make_rebuild(shared: Shared, show: Callable[[Built], None]) -> Rebuild:
    """Return what rebuilds and switches."""
    begin = begin_builds(shared)
    return Rebuild(begin, SwitchBuild(begin, StoredDocuments(shared.database)), shared.database, show)
