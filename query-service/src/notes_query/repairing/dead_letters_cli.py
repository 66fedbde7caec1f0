"""`dead-letters list|show|redrive|drop`."""

import argparse
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from notes_chassis import dead_letters as grammar
from notes_chassis.dead_letters import Grammar, limit, missing, show, wanted
from notes_chassis.terminal import complain
from notes_contracts import Code
from notes_query.arguments import note_id
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.repairing.dead_letters_shown import (
    letter_as_json,
    letter_in_full,
    letters_as_table,
    redriven_as_json,
    redriven_as_text,
    with_record_as_json,
)
from notes_query.repairing.redrive import Redrive

GRAMMAR: Final = Grammar(
    redrives="apply them to the documents now",
    codes=(Code.UNDECODABLE.value, Code.INTERNAL.value),
    subject="--note",
    subject_of=note_id,
    type_of=str,
    example="notes.event.note-updated.v1",
)


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the command's grammar."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "dead-letters", help="records that nobody could process: list, show, redrive, drop"
    )
    grammar.add_arguments(parser, GRAMMAR)
    return parser


async def run(
    arguments: argparse.Namespace, letters: DeadLetters, redrive: Redrive, clock: Callable[[], datetime]
) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or failed again, 2 not asked properly.

    Results go to standard output, complaints to standard error. Raises StoreUnavailable.
    """
    if arguments.action == "show":
        return await _show(arguments, letters)
    if arguments.action == "list":
        found = await letters.find(wanted(arguments), limit(arguments))
        show(arguments, [letter_as_json(one) for one in found], letters_as_table(found) or "no dead letters")
        return 1 if missing(arguments, [one.id for one in found]) else 0
    if grammar.names_nothing(arguments):
        return 2
    if arguments.action == "drop":
        ids = [one.id for one in await letters.find(wanted(arguments), limit(arguments))]
        await letters.close(ids, "dropped", clock())
        show(arguments, {"dropped": ids}, "\n".join(f"dropped {id_}" for id_ in ids))
        return 1 if missing(arguments, ids) else 0
    done = await redrive(wanted(arguments), limit(arguments))
    show(arguments, [redriven_as_json(one) for one in done], "\n".join(map(redriven_as_text, done)))
    gone = missing(arguments, [one.letter.id for one in done])
    return 1 if gone or any(one.failure for one in done) else 0


async def _show(arguments: argparse.Namespace, letters: DeadLetters) -> int:
    (position,) = arguments.ids
    letter = await letters.whole(str(position))
    if letter is None or letter.record is None:
        complain(f"there is no dead letter {position}")
        return 1
    show(arguments, with_record_as_json(letter), letter_in_full(letter))
    return 0
