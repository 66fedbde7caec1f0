"""`dead-letters list|show|redrive|drop`."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from notes_chassis import dead_letters as grammar
from notes_chassis.dead_letters import Grammar, Parts, limit, missing, show, show_whole, wanted
from notes_chassis.terminal import complain, printable, shortened, table
from notes_contracts import Code, format_time
from notes_query.arguments import note_id
from notes_query.repairing.dead_letter_store import DeadLetters, KeptDeadLetter
from notes_query.repairing.redrive import Redrive, Redriven

COLUMNS: Final = ("id", "time", "state", "code", "type", "note", "reason")
REASON: Final = 80
GRAMMAR: Final = Grammar(
    redrives="apply them to the documents now",
    codes=(Code.UNDECODABLE.value, Code.INTERNAL.value),
    subject="--note",
    subject_of=note_id,
    type_of=str,
    example="notes.event.note-updated.v1",
)


def add(commands: Any) -> None:
    """Add the command's grammar."""
    summary = "records that nobody could process: list, show, redrive, drop"
    grammar.add_arguments(commands.add_parser("dead-letters", help=summary), GRAMMAR)


async def run(
    arguments: argparse.Namespace, dead_letters: DeadLetters, redrive: Redrive, clock: Callable[[], datetime]
) -> int:
    """Do what is asked; return the exit code: 0 done, 1 not found or failed again, 2 not asked properly.

    Results go to standard output, complaints to standard error. Raises StoreUnavailable.
    """
    if arguments.action == "show":
        return await _show(arguments, dead_letters)
    if arguments.action == "list":
        found = await dead_letters.find(wanted(arguments), limit(arguments))
        show(arguments, [as_json(one) for one in found], _as_table(found) or "no dead letters")
        return 1 if missing(arguments, [one.id for one in found]) else 0
    if grammar.names_nothing(arguments):
        return 2
    if arguments.action == "drop":
        ids = [one.id for one in await dead_letters.find(wanted(arguments), limit(arguments))]
        await dead_letters.close(ids, "dropped", clock())
        show(arguments, {"dropped": ids}, "\n".join(f"dropped {id_}" for id_ in ids))
        return 1 if missing(arguments, ids) else 0
    done = await redrive(wanted(arguments), limit(arguments))
    show(arguments, [redriven_as_json(one) for one in done], "\n".join(map(_redriven_as_text, done)))
    gone = missing(arguments, [one.dead_letter.id for one in done])
    return 1 if gone or any(one.failure for one in done) else 0


async def _show(arguments: argparse.Namespace, dead_letters: DeadLetters) -> int:
    (position,) = arguments.ids
    dead_letter = await dead_letters.whole(str(position))
    if dead_letter is None or dead_letter.record is None:
        complain(f"there is no dead letter {position}")
        return 1
    record = dead_letter.record
    show_whole(arguments, as_json(dead_letter), Parts(record.key, record.headers, record.value))
    return 0


def _as_table(dead_letters: Sequence[KeptDeadLetter]) -> str:
    """Return one line for each, nothing for none."""
    rows = [
        (one.id, format_time(one.at), one.state, one.code, one.type, one.note_id, shortened(one.reason, REASON))
        for one in dead_letters
    ]
    return table(COLUMNS, rows) if rows else ""


def as_json(dead_letter: KeptDeadLetter) -> dict[str, Any]:
    """Return what is known of a dead letter, without its record."""
    return {
        "id": dead_letter.id,
        "time": format_time(dead_letter.at),
        "state": dead_letter.state,
        "code": dead_letter.code,
        "type": dead_letter.type,
        "note_id": dead_letter.note_id,
        "reason": dead_letter.reason,
        "tries": dead_letter.tries,
        "changed_at": None if dead_letter.changed_at is None else format_time(dead_letter.changed_at),
    }


def redriven_as_json(done: Redriven) -> dict[str, Any]:
    """Return what became of a dead letter."""
    state = "redriven" if done.failure is None else "open"
    return {"id": done.dead_letter.id, "state": state, "reason": done.failure, "events": asdict(done.counts)}


def _redriven_as_text(done: Redriven) -> str:
    """Return what became of a dead letter, in one line."""
    if done.failure is not None:
        return f"failed again {done.dead_letter.id}: {printable(done.failure)}"
    counts = ", ".join(f"{number} {name}" for name, number in asdict(done.counts).items() if number)
    return f"redriven {done.dead_letter.id}: {counts or 'nothing to do'}"
