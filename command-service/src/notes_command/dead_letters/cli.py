"""`dead-letters list|show|redrive|drop`, for people and for programs."""

import argparse
from typing import Any, Final

from notes_chassis import dead_letters_cli as grammar
from notes_chassis.dead_letters import DeadLetters
from notes_chassis.dead_letters_cli import Grammar, limit, missing, show, wanted
from notes_chassis.terminal import complain, shortened
from notes_command.dead_letters.dead_letter import (
    SentBack,
    full_type,
    next_id,
    note_filter,
    short_type,
)
from notes_command.dead_letters.store import PostgresDeadLetters

TYPE_MAX: Final = 32
GRAMMAR: Final = Grammar(
    redrives="send them back, each under a new command id",
    subject="note",
    subject_of=note_filter,
    type_of=full_type,
    example="update-note",
    shown_type=lambda type_: shortened(short_type(type_), TYPE_MAX),
)


def add_arguments(top: argparse.ArgumentParser) -> None:
    """Add what `dead-letters` takes."""
    why = "also those whose notes have changed since, or have an older open dead letter"
    grammar.add_arguments(top, GRAMMAR).add_argument("--force", action="store_true", help=why)


async def dead_letters(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or held back, 2 not asked properly."""
    kept = DeadLetters(dead_letters.find, dead_letters.whole, dead_letters.drop)
    return await grammar.run(arguments, GRAMMAR, kept, lambda: _redrive(dead_letters, arguments))


async def _redrive(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    done = await dead_letters.redrive(wanted(arguments), limit(arguments), force=arguments.force)
    text = "\n".join(f"redriven {one.id} as command {next_id(one)}" for one in done.sent)
    show(arguments, sent_back_as_json(done), text)
    if not arguments.json:
        for one in done.held:
            complain(f"held back {one.dead_letter.id}: {one.reason}; --force sends it all the same")
    gone = missing(arguments, [one.id for one in [*done.sent, *(one.dead_letter for one in done.held)]])
    return 1 if done.held or gone else 0


def sent_back_as_json(done: SentBack) -> dict[str, list[dict[str, Any]]]:
    """Return what came of a redrive."""
    held = [{"id": one.dead_letter.id, "note_id": one.dead_letter.note_id, "reason": one.reason} for one in done.held]
    return {"redriven": [{"id": one.id, "command_id": next_id(one)} for one in done.sent], "held": held}
