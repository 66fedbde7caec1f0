"""`python -m notes_query`: arguments only."""

import argparse
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from notes_chassis.settings import SettingsError
from notes_chassis.terminal import complain
from notes_query import operate
from notes_query.command_line import COMMANDS
from notes_query.composition import rebuild_commands, repair_commands


def serve(arguments: argparse.Namespace) -> int:
    """Run the service; return the exit code. What answers HTTP is slow to import, and nothing else needs it."""
    from notes_query import main  # noqa: PLC0415

    return main.serve(arguments)


RUN: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = MappingProxyType(
    {
        "serve": serve,
        "topics": operate.topics,
        "rebuild": operate.on_stores(rebuild_commands.rebuild),
        "switch-back": operate.on_stores(rebuild_commands.rebuild),
        "builds": operate.on_stores(rebuild_commands.builds),
        "drop": operate.on_stores(rebuild_commands.drop),
        "verify": operate.on_stores(rebuild_commands.verify),
        "gaps": operate.on_stores(repair_commands.gaps),
        "forks": operate.on_stores(repair_commands.forks),
        "missing": operate.on_stores(repair_commands.missing),
        "dead-letters": operate.on_stores(repair_commands.dead_letters),
    }
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m notes_query", description="The read side of Notes.")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for add in COMMANDS:
        add(subparsers)
    if set(RUN) != set(subparsers.choices):
        raise ImportError(f"commands without a function, or the other way round: {set(RUN) ^ set(subparsers.choices)}")
    return parser.parse_args(arguments)


def run() -> int:
    """Run the command; return the exit code."""
    arguments = parse()
    try:
        return RUN[arguments.command](arguments)
    except SettingsError as error:
        complain(str(error))
        return 2


if __name__ == "__main__":
    sys.exit(run())
