"""The command line's grammar: one file for each command, and this table of them."""

from collections.abc import Callable
from typing import Any, Final

from notes_query.entrypoints.cli import dead_letters, gaps, generations, rebuild, serve, topics, verify

COMMANDS: Final[tuple[Callable[[Any], object], ...]] = (
    serve.add,
    topics.add,
    rebuild.add,
    generations.add,
    verify.add,
    gaps.add,
    dead_letters.add,
)
