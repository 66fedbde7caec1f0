"""`dead-letters list|show|redrive|drop`."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from notes_chassis import dead_letters as kept
from notes_chassis import dead_letters_cli as grammar
from notes_chassis.dead_letters import DeadLetterFilter, Parts, Position
from notes_chassis.dead_letters_cli import Grammar, limit, missing, show, wanted
from notes_chassis.terminal import printable
from notes_contracts import Code, format_time
from notes_query.arguments import note_id
from notes_query.repairing.dead_letter_store import DeadLetters, KeptDeadLetter
from notes_query.repairing.redrive import Redrive, Redriven

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

    Raises StoreUnavailable.
    """

    async def redriven() -> int:
        done = await redrive(wanted(arguments), limit(arguments))
        show(arguments, [redriven_as_json(one) for one in done], "\n".join(map(_redriven_as_text, done)))
        gone = missing(arguments, [one.dead_letter.id for one in done])
        return 1 if gone or any(one.failure for one in done) else 0

    return await grammar.run(arguments, GRAMMAR, what_is_kept(dead_letters, clock), redriven)


def what_is_kept(dead_letters: DeadLetters, clock: Callable[[], datetime]) -> kept.DeadLetters[KeptDeadLetter]:
    """Return what the command line and HTTP do with them in the same way."""

    async def whole(position: Position) -> KeptDeadLetter | None:
        found = await dead_letters.whole(str(position))
        return None if found is None or found.record is None else found

    async def drop(wanted: DeadLetterFilter, limit: int) -> list[str]:
        ids = [one.id for one in await dead_letters.find(wanted, limit)]
        await dead_letters.close(ids, "dropped", clock())
        return ids

    return kept.DeadLetters(dead_letters.find, whole, drop, as_json, _record)


def _record(dead_letter: KeptDeadLetter) -> Parts:
    assert dead_letter.record is not None, "one that is whole has it"
    record = dead_letter.record
    return Parts(record.key, record.headers, record.value)


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
