"""What the relay needs of the outside."""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol

OCTETS: Final = 8 * 1024 * 1024
"""Bytes of rows in hand at once. A single row may be larger."""


class Destination(NamedTuple):
    """Where records go, each of which can fail on its own."""

    topic: str
    partition: int


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
    def destination(self) -> Destination:
        """Return where it goes."""
        return Destination(self.topic, self.partition)

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

    async def read(
        self, shards: Iterable[int], limit: int, *, held: Collection[Destination] = (), octets: int = OCTETS
    ) -> list[Record]:
        """Return the first rows of those shards that are present and not parked, in order, as of one moment.

        Those of `held` destinations are left out. At most `limit` rows, and no more behind the one with which their
        payloads and headers come to `octets`.
        """

    async def read_of(self, destination: Destination, limit: int, *, octets: int = OCTETS) -> list[Record]:
        """Return the first rows of one destination, which the last `read` has held."""

    async def delete(self, positions: Sequence[int]) -> None:
        """Remove rows that the broker has acknowledged."""

    async def park(self, positions: Sequence[int], reason: str) -> None:
        """Put rows aside, out of the way of all others."""

    async def park_behind(self, positions: Sequence[int], reason: str) -> None:
        """Put aside those of the rows that have an earlier one of their note parked at this moment."""


class Waiting(NamedTuple):
    """The rows for one destination. `oldest_s`: the age in seconds of the oldest that is to be sent."""

    destination: Destination
    rows: int
    parked: int
    oldest_s: float


class Backlog(Protocol):
    """What is still to be sent. Raises StoreError."""

    async def backlog(self) -> list[Waiting]:
        """Return what there is for each destination."""


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

    async def unpark(self, aggregateid: str) -> list[int]:
        """Let a note's parked rows go, all at once; return their positions."""

    async def drop(self, aggregateid: str) -> int:
        """Remove a note's parked rows, all at once; return how many."""

    async def left(self, positions: Sequence[int]) -> dict[int, str | None]:
        """Return which of these rows are still there, and why each is parked, if it is."""


class Sent(NamedTuple):
    """What came of records for one destination.

    `acknowledged`: the positions that arrived. `error`: the kind of error that stopped the rest, None if there was
    none. `refused`: one of the records of the failed batch is at fault, and no retry will change that.
    """

    acknowledged: list[int]
    error: str | None = None
    refused: bool = False


class Broker(Protocol):
    """Writes to any number of destinations at once, in order. One idempotent producer stands behind it."""

    async def ready(self) -> None:
        """Have a producer. Raises Unreachable."""

    async def send(self, destination: Destination, records: deque[Record]) -> Sent:
        """Take the records out of the queue and send them, until it is empty or one fails. Raises Unreachable."""

    def part(self) -> None:
        """Leave the producer to the writers that still wait: who sends from now on does not share it with them."""

    def another(self, answer_s: float) -> "Broker":
        """Return a broker with a producer of its own, whose batches may take that long."""

    async def close(self) -> None:
        """Let go of the producer; what it still holds is in the outbox, too."""


class Unreachable(Exception):
    """There is no producer: no broker answers, or none gives us a producer id. Nothing was sent."""
