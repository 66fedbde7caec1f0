"""What cannot be sent: destinations that cannot be written at the moment, and rows that never can.

A destination is tried again, and people learn of it. A row is parked, with what follows of its note, so that all others
flow.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from notes_chassis.health import Health
from notes_chassis.process import Backoff
from notes_command.metrics import RELAY_FAILURES, RELAY_PARKED, RELAY_UNWRITABLE
from notes_command.outbox.handover import Handover
from notes_command.outbox.row import Destination, Record
from notes_command.outbox.store import PostgresOutbox

log = structlog.get_logger()

ANSWER_S: Final = 10.0
ANSWER_MAX_S: Final = 60.0
LATE_S: Final = 3.0
"""Seconds after which a step of the relay that is not done is told: a server that hangs answers nothing, no error."""
NAMED: Final = 5
"""Destinations that readiness names one by one."""
BEHIND: Final = "an earlier record of this note is parked"


@dataclass(slots=True)
class Doubt:
    """Why a destination is tried separately, since when it fails, and when its next try is due."""

    error: str | None = None
    due: float = float("-inf")
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def answer_s(self) -> float:
        """Return how long the next try may take: a slow broker must get to an end."""
        return min(ANSWER_MAX_S, ANSWER_S * float(2**self.backoff.attempts))


@dataclass(slots=True)
class Destinations:
    """Of one relay. What is not here is taken to be well."""

    health: Health
    clock: Callable[[], float] = time.monotonic
    doubts: dict[Destination, Doubt] = field(default_factory=dict)

    def due(self) -> list[Destination]:
        """Return those whose next try is due."""
        now = self.clock()
        return [destination for destination, doubt in self.doubts.items() if doubt.due <= now]

    def doubt(self, destination: Destination) -> None:
        """Have its records tried one by one, at once: one of them was refused."""
        self.doubts.setdefault(destination, Doubt()).due = float("-inf")

    def failed(self, destination: Destination, error: str) -> None:
        """Note that it cannot be written, for a reason that may pass."""
        doubt = self.doubts.setdefault(destination, Doubt())
        doubt.due = self.clock() + doubt.backoff.next()
        RELAY_FAILURES.inc()
        if doubt.error != error:
            self._unname(destination, doubt)
            doubt.error = error
            RELAY_UNWRITABLE.labels(*destination, error).set(1)
            topic, partition = destination
            log.error("destination cannot be written, trying again", topic=topic, partition=partition, error=error)
        self._report()

    def works(self, destination: Destination) -> None:
        """Note that it was written."""
        doubt = self.doubts.pop(destination, None)
        if doubt is not None and doubt.error is not None:
            self._unname(destination, doubt)
            log.info("destination is written again", topic=destination.topic, partition=destination.partition)
            self._report()

    def keep(self, shards: Collection[int]) -> None:
        """Forget the destinations of shards that are another relay's now."""
        for destination in [one for one in self.doubts if one.partition not in shards]:
            self._unname(destination, self.doubts.pop(destination))
            self._report()

    def unreachable(self, error: str) -> None:
        """Note that nothing can be sent at all."""
        self.health.report("relay", ok=False, reason=f"nothing can be sent: {error}", cause="away")

    def reachable(self) -> None:
        """Note that Kafka is there, or that nothing waits to be sent: another instance has sent what could not be."""
        self.health.report("relay", ok=True, cause="away")

    def late(self) -> None:
        """Note that a step has taken LATE_S by now."""
        self.stopped(f"PostgreSQL or Kafka has not answered for {LATE_S:g} s")

    def stopped(self, reason: str | None) -> None:
        """Note why the relay does not get on with its steps, or that it does."""
        self.health.report("relay", ok=reason is None, reason=reason, cause="step")

    def _report(self) -> None:
        failing = [
            f"{to.topic} partition {to.partition}: {doubt.error}" for to, doubt in self.doubts.items() if doubt.error
        ]
        more = f"; and {len(failing) - NAMED} more" if len(failing) > NAMED else ""
        reason = f"cannot be written: {'; '.join(failing[:NAMED])}{more}" if failing else None
        self.health.report("relay", ok=not failing, reason=reason)

    @staticmethod
    def _unname(destination: Destination, doubt: Doubt) -> None:
        if doubt.error is not None:
            RELAY_UNWRITABLE.remove(*destination, doubt.error)


@dataclass(frozen=True, slots=True)
class Parking:
    """Of one relay. `limit`: bytes of the largest record that is tried. Methods raise StoreError."""

    outbox: PostgresOutbox
    handover: Handover
    limit: int

    async def sendable(self, records: Sequence[Record]) -> list[Record]:
        """Park what is too large, and what follows a parked row of its note; return the others."""
        stuck: set[tuple[str, str]] = set()
        sendable, behind = [], []
        for record in records:
            if record.blocked or record.note in stuck:
                behind.append(record)
            elif record.size > self.limit:
                stuck.add(record.note)
                await self.park(record, f"{record.size} bytes are more than the limit of {self.limit}")
            else:
                sendable.append(record)
        if behind:
            await self.outbox.park_behind([record.name for record in behind], BEHIND)
            RELAY_PARKED.inc(len(behind))
        return sendable

    async def park(self, record: Record, reason: str) -> None:
        """Put one row aside."""
        log.error("outbox row parked", position=record.position, topic=record.topic, reason=reason)
        self.handover.lose()  # what waits there may be of its note
        await self.outbox.park([record.name], reason)
        RELAY_PARKED.inc()
