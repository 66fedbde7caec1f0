"""The topics, for those that create or write them, and the partition of a key, so that all writers agree."""

import re
from dataclasses import dataclass
from struct import Struct
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel

_MIB = 1024 * 1024
_DAY_MS = 24 * 60 * 60 * 1000

_M = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF
_WORDS = {length: Struct(f"<{length // 4}I") for length in range(64)}

PARTITIONS: Final = 12
"""Partitions of the topics of commands, events and outcomes. Never changed in place: a key must keep its partition."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `retention_ms`: -1 is for ever. `max_bytes`: the size of the largest record."""

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

_legal = re.compile(r"[a-zA-Z0-9._-]{1,249}").fullmatch


def _topic_name(name: str) -> str:
    if not _legal(name) or name in {".", ".."}:
        raise ValueError("the name of a topic has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'")
    return name


TopicName = Annotated[str, AfterValidator(_topic_name)]
"""A name that Kafka allows."""


def all_differ(settings: BaseModel) -> None:
    """Raise ValueError with a sentence if two fields `topic_…` of a service's settings name the same topic.

    A service that writes to a topic that it reads would read its own records for ever.
    """
    known: dict[str, str] = {}
    for field in type(settings).model_fields:
        if field.startswith("topic_"):
            setting = f"NOTES_{field.upper()}"
            if (other := known.setdefault(getattr(settings, field), setting)) != setting:
                raise ValueError(f"{other} and {setting} name the same topic; each needs one of its own")


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of `key` on a topic with that many partitions, as Kafka's Java client does (murmur2).

    A service needs the partition before it has a Kafka client: it is stored with the row of the outbox. The constants
    are those of MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2).
    """
    length = len(key)
    words = _WORDS.get(length) or Struct(f"<{length // 4}I")
    h = _SEED ^ length
    for word in words.unpack_from(key):
        k = word * _M & _MASK
        h = (h * _M ^ (k ^ k >> 24) * _M) & _MASK
    tail = key[length & ~3 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    h ^= h >> 15
    return (h & 0x7FFFFFFF) % partitions
