"""The topics: names, partitions, retention and record sizes, as data for whoever provisions or produces."""

from dataclasses import dataclass
from typing import Final

_MIB = 1024 * 1024
_DAY_MS = 24 * 60 * 60 * 1000

PARTITIONS: Final = 12
"""Partitions of the three topics that carry notes. Never changed in place: a key must keep its partition."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `retention_ms` -1 is for ever; `max_bytes` is the largest record."""

    name: str
    partitions: int
    retention_ms: int
    max_bytes: int


COMMANDS_TOPIC: Final = Topic("notes.commands", PARTITIONS, 7 * _DAY_MS, 2 * _MIB)
EVENTS_TOPIC: Final = Topic("notes.events", PARTITIONS, -1, 2 * _MIB)
OUTCOMES_TOPIC: Final = Topic("notes.command-outcomes", PARTITIONS, 7 * _DAY_MS, 2 * _MIB)
COMMAND_DEAD_LETTERS_TOPIC: Final = Topic("notes.commands.dead-letters", 1, 30 * _DAY_MS, 16 * _MIB)
EVENT_DEAD_LETTERS_TOPIC: Final = Topic("notes.events.dead-letters", 1, 30 * _DAY_MS, 16 * _MIB)

TOPICS: Final = (
    COMMANDS_TOPIC,
    EVENTS_TOPIC,
    OUTCOMES_TOPIC,
    COMMAND_DEAD_LETTERS_TOPIC,
    EVENT_DEAD_LETTERS_TOPIC,
)
