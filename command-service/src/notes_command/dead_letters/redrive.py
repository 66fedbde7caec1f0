"""Send a dead letter back: the same record under a new command id that follows from the old one."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from pydantic_core import to_json

from notes_command.dead_letters.dead_letter import StoredLetter
from notes_command.pipeline.envelope import Source
from notes_contracts.cloudevents import envelope_of, is_structured

ADDED: Final = frozenset(f"dead-letter-{name}" for name in ("code", "reason", "topic", "partition", "offset", "time"))
"""Headers that a dead letter was given; they are not sent back."""
REDRIVE_OF: Final = "redrive-of"
POSITIONS: Final = UUID("3d1f6a52-7f0b-5a83-8a35-3f2f0f5b8c1e")
"""Namespace of the ids of records that never had one."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """The record to send: its headers and value; the key is the original's."""

    command_id: str
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None


def next_id(letter: StoredLetter) -> str:
    """Return the command id under which a letter is sent back: always the same, and another than its own.

    So redriving twice has one effect, and redriving what failed again is another command.
    """
    if letter.command_id is not None:
        return str(uuid5(UUID(letter.command_id), "redrive"))
    return str(uuid5(POSITIONS, letter.id))


def redrive(letter: StoredLetter) -> Redriven:
    """Return the record under its new id, with a header `redrive-of`: the old id, or the letter's without one.

    The id of a structured record is in its envelope.
    """
    source, new = letter.source, next_id(letter)
    kept = [pair for pair in source.headers if pair[0] not in ADDED | {"ce_id", REDRIVE_OF}]
    headers = (*kept, ("ce_id", new.encode()), (REDRIVE_OF, (letter.command_id or letter.id).encode()))
    return Redriven(new, headers, _readdressed(source, new))


def _readdressed(source: Source, new: str) -> bytes | None:
    if not is_structured(dict(source.headers)):
        return source.value
    envelope = envelope_of(source.value)
    return source.value if envelope is None else to_json({**envelope, "id": new})
