"""The command line: what can be asked, and what is done then. Results go to standard output."""

import argparse
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from notes_chassis.kafka.topics import make_topics
from notes_chassis.memory import uncollected
from notes_chassis.settings import Command
from notes_query.commands import builds, dead_letters, gaps, verify
from notes_query.settings import read_settings


def add_serve(commands: Any) -> None:
    """Add the grammar of `serve`."""
    parser = commands.add_parser("serve", help="run the projector and the HTTP API until SIGTERM")
    parser.add_argument("--only", choices=("projector", "api"), help="run this half alone")


def serve(arguments: argparse.Namespace) -> int:
    """Run the service. What answers HTTP is slow to import, and nothing else needs it."""
    with uncollected():
        from notes_query import app  # noqa: PLC0415

    return app.serve(arguments)


def add_topics(commands: Any) -> None:
    """Add the grammar of `topics`."""
    parser = commands.add_parser("topics", help="create the topics that are missing")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for Kafka (60)")


def topics(arguments: argparse.Namespace) -> int:
    """Create the topics that are missing, mend the others."""
    settings = read_settings()
    return make_topics(settings.cluster(), settings.topics, arguments.timeout)


GRAMMAR: Final[tuple[Callable[[Any], None], ...]] = (
    add_serve,
    add_topics,
    builds.add,
    verify.add,
    gaps.add_gaps,
    gaps.add_forks,
    gaps.add_missing,
    dead_letters.add,
)
RUN: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "serve": serve,
        "topics": topics,
        "rebuild": builds.rebuild,
        "switch-back": builds.rebuild,
        "builds": builds.builds,
        "drop": builds.drop,
        "verify": verify.verify,
        "gaps": gaps.gaps,
        "forks": gaps.forks,
        "missing": gaps.missing,
        "dead-letters": dead_letters.dead_letters,
    }
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m notes_query", description="The read side of Notes.")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for add in GRAMMAR:
        add(subparsers)
    if set(RUN) != set(subparsers.choices):
        raise ImportError(f"commands without a function, or the other way round: {set(RUN) ^ set(subparsers.choices)}")
    return parser.parse_args(arguments)
