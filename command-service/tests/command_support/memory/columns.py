"""What PostgreSQL's types do not take, the twin does not take either."""

from dataclasses import fields
from typing import Final
from uuid import UUID

from notes_command.domain.note import Note
from notes_command.errors import BadRow
from notes_command.outbox.row import OutboxRow
from notes_command.pipeline.decide import DeadLetter, Outcome

INT4: Final = range(-(2**31), 2**31)
UUIDS: Final = frozenset({"id", "command_id", "note_id"})


def check(item: Note | Outcome | DeadLetter | OutboxRow) -> None:
    """Raise BadRow for NUL, lone surrogates, ids that are none, wide integers."""
    names = item._fields if isinstance(item, tuple) else [field.name for field in fields(item)]
    for name in names:
        value = getattr(item, name)
        try:
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, str) and b"\0" in part.encode():
                    raise BadRow(f"{name} holds NUL")
            if name in UUIDS and value is not None:
                UUID(value)
        except ValueError as error:
            raise BadRow(f"{name}: {error}") from error
        if isinstance(value, int) and value not in INT4:
            raise BadRow(f"{name} is too large")
