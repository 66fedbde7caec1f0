"""Dead letters for people, and for programs."""

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from notes_chassis.terminal import printable, shortened, table
from notes_contracts import format_time
from notes_query.repairing.dead_letters import KeptLetter
from notes_query.repairing.redrive import Redriven

COLUMNS: Final = ("id", "time", "state", "code", "type", "note", "reason")
REASON: Final = 80
NAME_WIDTH: Final = 12


def letters_as_table(letters: Sequence[KeptLetter]) -> str:
    """Return one line for each, nothing for none."""
    rows = [
        (one.id, format_time(one.at), one.state, one.code, one.type, one.note_id, shortened(one.reason, REASON))
        for one in letters
    ]
    return table(COLUMNS, rows) if rows else ""


def letter_as_json(letter: KeptLetter) -> dict[str, Any]:
    """Return what is known of a letter, without its record."""
    return {
        "id": letter.id,
        "time": format_time(letter.at),
        "state": letter.state,
        "code": letter.code,
        "type": letter.type,
        "note_id": letter.note_id,
        "reason": letter.reason,
        "tries": letter.tries,
        "changed_at": None if letter.changed_at is None else format_time(letter.changed_at),
    }


def with_record_as_json(letter: KeptLetter) -> dict[str, Any]:
    """Return the letter and its record; bytes are base64, since no text could hold all of them."""
    record = letter.record
    if record is None:
        return letter_as_json(letter)
    return {
        **letter_as_json(letter),
        "key": _base64(record.key),
        "headers": [[name, _base64(value)] for name, value in record.headers],
        "value": _base64(record.value),
    }


def letter_in_full(letter: KeptLetter) -> str:
    """Return everything, a line for each thing, the value last."""
    lines = [(name, "-" if value is None else printable(str(value))) for name, value in letter_as_json(letter).items()]
    if (record := letter.record) is not None:
        lines.append(("key", _text(record.key)))
        lines += [("header", f"{printable(name)}: {_text(value)}") for name, value in record.headers]
        lines.append(("value", _text(record.value, also="\n\t")))
    return "\n".join(f"{name:{NAME_WIDTH}}{value}" for name, value in lines)


def redriven_as_json(done: Redriven) -> dict[str, Any]:
    """Return what became of a letter."""
    state = "redriven" if done.failure is None else "open"
    return {"id": done.letter.id, "state": state, "reason": done.failure, "events": asdict(done.counts)}


def redriven_as_text(done: Redriven) -> str:
    """Return what became of a letter, in one line."""
    if done.failure is not None:
        return f"failed again {done.letter.id}: {printable(done.failure)}"
    counts = ", ".join(f"{number} {name}" for name, number in asdict(done.counts).items() if number)
    return f"redriven {done.letter.id}: {counts or 'nothing to do'}"


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _text(value: bytes | None, also: str = "") -> str:
    return "null" if value is None else printable(value.decode(errors="backslashreplace"), also=also)
