"""Dead letters as the command line and HTTP show them, and what both do with them in the same way."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from notes_chassis import dead_letters as kept
from notes_chassis.dead_letters import DeadLetterFilter, Parts, Position
from notes_contracts import format_time
from notes_query.repairing.dead_letter_store import DeadLetters, KeptDeadLetter
from notes_query.repairing.redrive import Redriven


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
