"""The command line's grammar: one file for each command, and this table of them."""

from collections.abc import Callable
from typing import Any, Final

from notes_query import arguments
from notes_query.rebuilding import builds_cli as builds
from notes_query.rebuilding import rebuild_cli as rebuild
from notes_query.rebuilding import verify_cli as verify
from notes_query.repairing import dead_letters_cli as dead_letters
from notes_query.repairing import gaps_cli

COMMANDS: Final[tuple[Callable[[Any], None], ...]] = (
    arguments.serve,
    arguments.topics,
    rebuild.add,
    builds.add,
    verify.add,
    gaps_cli.add_gaps,
    gaps_cli.add_forks,
    gaps_cli.add_missing,
    dead_letters.add,
)
