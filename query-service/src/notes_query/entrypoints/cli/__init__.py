"""The command line's grammar: one file for each command, and this table of them."""

from collections.abc import Callable
from typing import Any, Final

from notes_query.entrypoints.cli import dead_letters, forks, gaps, generations, missing, rebuild, serve, topics, verify

COMMANDS: Final[tuple[Callable[[Any], object], ...]] = (
    serve.add,
    topics.add,
    rebuild.add,
    generations.add,
    verify.add,
    gaps.add,
    forks.add,
    missing.add,
    dead_letters.add,
)
