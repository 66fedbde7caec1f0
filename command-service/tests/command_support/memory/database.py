"""What a MemoryStore and a MemoryOutbox share, as PostgreSQL's tables and locks are shared."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from notes_command.domain.note import Note
from notes_command.outbox.row import OutboxRow
from notes_command.pipeline.decide import DeadLetter, Outcome
from notes_contracts.topics import PARTITIONS

Key = tuple[object, ...]
NEVER: Final = float("-inf")


@dataclass(slots=True)
class Lease:
    """Whose a shard is, and until when on the database's clock."""

    owner: str | None = None
    until: float = NEVER


@dataclass(slots=True)
class StoredRow:
    """A row of the outbox. `parked` is the reason why it was put aside, None while it is to be sent."""

    row: OutboxRow
    stored_at: float
    parked: str | None = None


@dataclass(slots=True)
class MemoryDatabase:
    """What is committed. `subscribers` are called after every commit that leaves something in the outbox."""

    clock: Callable[[], float] = time.monotonic
    lock_timeout_s: float = 30.0
    notes: dict[str, Note] = field(default_factory=dict)
    inbox: dict[str, Outcome] = field(default_factory=dict)
    dead_letters: dict[Key, DeadLetter] = field(default_factory=dict)
    outbox: dict[int, StoredRow] = field(default_factory=dict)
    leases: dict[int, Lease] = field(default_factory=lambda: {shard: Lease() for shard in range(PARTITIONS)})
    subscribers: list[Callable[[], None]] = field(default_factory=list)
    positions: Iterator[int] = field(default_factory=lambda: count(1))
    locks: defaultdict[Key, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
