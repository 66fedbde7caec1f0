"""What the relay needs of the outside."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """A row of the outbox, ready to be sent.

    `note` is what order is kept by: the row's topic and aggregate. `blocked`: another row of the note is parked.
    """

    position: int
    note: tuple[str, str]
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    blocked: bool = False

    @property
    def size(self) -> int:
        """Bytes as the broker counts them, rounded up: lengths and the batch's header included."""
        size = 100 + len(self.key or b"") + len(self.value or b"")
        for name, value in self.headers:  # a plain loop: `sum` of a generator takes twice as long, for every row
            size += len(name) + len(value or b"") + 10
        return size


class Outbox(Protocol):
    """The rows to send. Raises StoreError."""

    async def lease(self) -> frozenset[int]:
        """Take or renew the lease of every shard that is free or ours, and return those that are ours now."""

    async def release(self) -> None:
        """Give the leases back, so that another instance need not wait for their end."""

    async def read(self, shards: Iterable[int], limit: int) -> list[Record]:
        """Return the first rows of those shards that are present and not parked, in order, as of one moment."""

    async def delete(self, positions: Sequence[int]) -> None:
        """Remove rows that the broker has acknowledged."""

    async def park(self, positions: Sequence[int], reason: str) -> None:
        """Put rows aside, out of the way of all others."""


class Backlog(Protocol):
    """What is still to be sent. Raises StoreError."""

    async def backlog(self) -> tuple[int, int, float]:
        """Return the rows to send, the rows parked, and the age of the oldest to send, in seconds."""


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """A row put aside, and why."""

    position: int
    topic: str
    aggregateid: str
    type: str
    parked_at: datetime
    reason: str


class OutboxView(Backlog, Protocol):
    """The outbox as a person looks at it. Raises StoreError."""

    async def parked_rows(self, limit: int) -> Sequence[ParkedRow]:
        """Return parked rows, in order."""

    async def unpark(self, aggregateid: str) -> int:
        """Let a note's parked rows go, all at once; return how many."""


class Broker(Protocol):
    """Sends records in order. One idempotent producer stands behind it, made anew after every failure."""

    async def send(self, records: Sequence[Record]) -> None:
        """Send all and wait until all are acknowledged.

        After a record that failed, nothing later of its partition is sent. Raises SendFailed where some may not have
        arrived, after which the next call starts with a new producer.
        """

    async def close(self) -> None:
        """Let go of the producer; what it still holds is in the outbox, too."""


class SendFailed(Exception):
    """A batch did not arrive whole.

    `acknowledged`: positions that did. `refused`: the broker said that it will never take one of the records.
    """

    def __init__(self, reason: str, acknowledged: Sequence[int], *, refused: bool) -> None:
        super().__init__(reason)
        self.acknowledged = list(acknowledged)
        self.refused = refused
