"""`dead-letters list|show|redrive|drop`."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from notes_chassis import dead_letters_cli as grammar
from notes_chassis.dead_letters_cli import Grammar, limit, missing, show, wanted
from notes_chassis.terminal import printable
from notes_contracts.times import now
from notes_query.commands.stores import note_id, on_stores
from notes_query.composition.indexes import create_indexes
from notes_query.composition.monitoring import redrive_of
from notes_query.composition.shared import Shared
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.repairing.dead_letters import Redrive, Redriven, redriven_as_json, what_is_kept

GRAMMAR: Final = Grammar(
    redrives="apply them to the documents now",
    subject="note",
    subject_of=note_id,
    type_of=str,
    example="notes.event.note-updated.v1",
)


def add(commands: Any) -> None:
    """Add the command's grammar."""
    summary = "records that nobody could process: list, show, redrive, drop"
    grammar.add_arguments(commands.add_parser("dead-letters", help=summary), GRAMMAR)


@on_stores
async def dead_letters(arguments: argparse.Namespace, shared: Shared) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or failed again, 2 not asked properly.

    Raises StoreUnavailable.
    """
    await create_indexes(shared.database)
    return await run(arguments, shared.dead_letters, await redrive_of(shared), now)


async def run(
    arguments: argparse.Namespace, dead_letters: DeadLetters, redrive: Redrive, clock: Callable[[], datetime]
) -> int:
    """Do the same with these."""

    async def redriven() -> int:
        done = await redrive(wanted(arguments), limit(arguments))
        show(arguments, [redriven_as_json(one) for one in done], "\n".join(map(_redriven_as_text, done)))
        gone = missing(arguments, [one.dead_letter.id for one in done])
        return 1 if gone or any(one.failure for one in done) else 0

    return await grammar.run(arguments, GRAMMAR, what_is_kept(dead_letters, clock), redriven)


def _redriven_as_text(done: Redriven) -> str:
    """Return what became of a dead letter, in one line."""
    if done.failure is not None:
        return f"failed again {done.dead_letter.id}: {printable(done.failure)}"
    counts = ", ".join(f"{number} {name}" for name, number in asdict(done.counts).items() if number)
    return f"redriven {done.dead_letter.id}: {counts or 'nothing to do'}"
