"""Dead letters for people, and for programs."""

import base64
from collections.abc import Sequence
from typing import Any, Final

from notes_chassis.terminal import printable, shortened, table
from notes_command.dead_letters.dead_letter import StoredDeadLetter, short_type
from notes_contracts import format_time

REASON_MAX: Final = 80
TYPE_MAX: Final = 32
WIDTH: Final = 14


def listed(dead_letters: Sequence[StoredDeadLetter]) -> str:
    """Return a table, one line for each dead letter."""
    head = ("id", "time", "state", "code", "type", "note", "reason")
    rows = [
        (
            one.id,
            format_time(one.at),
            one.state,
            one.code,
            None if one.type is None else shortened(short_type(one.type), TYPE_MAX),
            one.note_id,
            shortened(one.reason, REASON_MAX),
        )
        for one in dead_letters
    ]
    return table(head, rows)


def whole(dead_letter: StoredDeadLetter) -> str:
    """Return everything there is, one line each, the value last."""
    lines = [*as_json(dead_letter).items(), ("key", _text(dead_letter.source.key))]
    lines += [("header", f"{name}: {_text(value)}") for name, value in dead_letter.source.headers]
    shown = [f"{name:{WIDTH}}{'-' if text is None else printable(str(text))}" for name, text in lines]
    value = _text(dead_letter.source.value)
    return "\n".join([*shown, f"{'value':{WIDTH}}{printable(value, also=chr(10) + chr(9))}"])


def as_json(dead_letter: StoredDeadLetter) -> dict[str, Any]:
    """Return what `list` tells of a dead letter."""
    return {
        "id": dead_letter.id,
        "time": format_time(dead_letter.at),
        "state": dead_letter.state,
        "code": dead_letter.code,
        "type": dead_letter.type,
        "command_id": dead_letter.command_id,
        "note_id": dead_letter.note_id,
        "reason": dead_letter.reason,
    }


def whole_as_json(dead_letter: StoredDeadLetter) -> dict[str, Any]:
    """Return the dead letter with its record; bytes are base64, as no text could hold all of them."""
    source = dead_letter.source
    headers = [[name, _base64(value)] for name, value in source.headers]
    return {**as_json(dead_letter), "key": _base64(source.key), "value": _base64(source.value), "headers": headers}


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _text(value: bytes | None) -> str:
    return "null" if value is None else value.decode(errors="backslashreplace")
