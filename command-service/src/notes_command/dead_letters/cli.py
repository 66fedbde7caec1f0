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

SHOWN_TYPE_MAX: Final = 32
"""Characters of a type in the list."""
GRAMMAR: Final = Grammar(
    redrives="send them back, each under a new command id",
    subject="note",
    subject_of=note_filter,
    type_of=full_type,
    example="update-note",
    shown_type=lambda type_: shortened(short_type(type_), SHOWN_TYPE_MAX),
)


def add_arguments(top: argparse.ArgumentParser) -> None:
    """Add the arguments of `dead-letters`."""
    why = "also those whose notes have changed since, or have an older open dead letter"
    grammar.add_arguments(top, GRAMMAR).add_argument("--force", action="store_true", help=why)


async def dead_letters(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    """Run the command. Return the exit code: 0 done, 1 not found or held back, 2 wrong arguments."""
    kept = DeadLetters(dead_letters.find, dead_letters.whole, dead_letters.drop)
    return await grammar.run(arguments, GRAMMAR, kept, lambda: _redrive(dead_letters, arguments))


async def _redrive(dead_letters: PostgresDeadLetters, arguments: argparse.Namespace) -> int:
    done = await dead_letters.redrive(wanted(arguments), limit(arguments), force=arguments.force)
    text = "\n".join(f"redriven {dead_letter.id} as command {next_id(dead_letter)}" for dead_letter in done.sent)
    show(arguments, sent_back_as_json(done), text)
    if not arguments.json:
        for held in done.held:
            complain(f"held back {held.dead_letter.id}: {held.reason}; --force sends it all the same")
    claimed = [*done.sent, *(held.dead_letter for held in done.held)]
    gone = missing(arguments, [dead_letter.id for dead_letter in claimed])
    return 1 if done.held or gone else 0


def sent_back_as_json(done: SentBack) -> dict[str, list[dict[str, Any]]]:
    """Return the result of a redrive as JSON."""
    return {
        "redriven": [{"id": dead_letter.id, "command_id": next_id(dead_letter)} for dead_letter in done.sent],
        "held": [
            {"id": dead_letter.id, "note_id": dead_letter.note_id, "reason": reason}
            for dead_letter, reason in done.held
        ],
    }
