"""What cannot be sent: destinations that cannot be written at the moment, and rows that Kafka will never take.

A destination that fails has a circuit breaker: it is tried by itself, readiness names it, and the others go on. A row
is parked, together with the later rows of its note, so that all others go on.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from notes_chassis.health import Health
from notes_chassis.process import Backoff
from notes_command.errors import ProducerUnavailable, StoreError
from notes_command.metrics import RELAY_FAILURES, RELAY_PARKED, RELAY_UNWRITABLE
from notes_command.outbox.handover import Handover
from notes_command.outbox.producer import RelayProducer, Sent
from notes_command.outbox.row import Destination, Record, RowName
from notes_command.outbox.store import PostgresOutbox

log = structlog.get_logger()

ANSWER_S: Final = 10.0
"""Seconds that the first try of a failing destination may take; each further one may take twice as long."""
ANSWER_MAX_S: Final = 60.0
LATE_S: Final = 3.0
"""Seconds after which a step of the relay that is not done is told: a server that hangs answers nothing, no error."""
NAMED: Final = 5
"""Destinations that readiness names, at most."""
TRIED: Final = 100
"""Records of a failing destination that are read for one try."""
TRIED_BYTES: Final = 256 * 1024
"""Bytes of these records, or one larger record: all destinations may fail at once."""
BEHIND: Final = "an earlier record of this note is parked"


@dataclass(slots=True)
class OpenCircuit:
    """A destination that is tried by itself. `error`: why it cannot be written; None if it refused a record."""

    error: str | None = None
    due: float = float("-inf")
    """When the next try is due, by the clock of Destinations."""
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def answer_s(self) -> float:
        """Return the seconds that the next try may take. They grow, so that a slow broker can finish."""
        return min(ANSWER_MAX_S, ANSWER_S * float(2**self.backoff.attempts))


@dataclass(slots=True)
class Destinations:
    """The circuit breakers of a relay. A destination without an open circuit works."""

    health: Health
    clock: Callable[[], float] = time.monotonic
    open_circuits: dict[Destination, OpenCircuit] = field(default_factory=dict)

    def due(self) -> list[Destination]:
        """Return the destinations whose next try is due."""
        now = self.clock()
        return [destination for destination, circuit in self.open_circuits.items() if circuit.due <= now]

    def refused(self, destination: Destination) -> None:
        """Note that a destination has refused a record: its records are tried one by one, at once."""
        self.open_circuits.setdefault(destination, OpenCircuit()).due = float("-inf")

    def failed(self, destination: Destination, error: str) -> None:
        """Note that a destination cannot be written at the moment."""
        circuit = self.open_circuits.setdefault(destination, OpenCircuit())
        circuit.due = self.clock() + circuit.backoff.next()
        RELAY_FAILURES.inc()
        if circuit.error != error:
            self._clear_metric(destination, circuit)
            circuit.error = error
            RELAY_UNWRITABLE.labels(*destination, error).set(1)
            topic, partition = destination
            log.error("destination cannot be written, trying again", topic=topic, partition=partition, error=error)
        self._report()

    def works(self, destination: Destination) -> None:
        """Note that a destination was written."""
        circuit = self.open_circuits.pop(destination, None)
        if circuit is not None and circuit.error is not None:
            self._clear_metric(destination, circuit)
            log.info("destination is written again", topic=destination.topic, partition=destination.partition)
            self._report()

    def keep(self, shards: Collection[int]) -> None:
        """Forget the destinations of all other shards: another relay sends their rows now."""
        for destination in list(self.open_circuits):
            if destination.partition not in shards:
                self._clear_metric(destination, self.open_circuits.pop(destination))
                self._report()

    def unreachable(self, error: str) -> None:
        """Note that Kafka cannot be reached."""
        self.health.report("relay", ok=False, reason=f"nothing can be sent: {error}", cause="away")

    def reachable(self) -> None:
        """Note that Kafka can be reached, or that no row waits: then another instance has sent them."""
        self.health.report("relay", ok=True, cause="away")

    def late(self) -> None:
        """Note that a step has taken LATE_S by now."""
        self.stopped(f"PostgreSQL or Kafka has not answered for {LATE_S:g} s")

    def stopped(self, reason: str | None) -> None:
        """Note why the relay does not get on with its steps, or that it does."""
        self.health.report("relay", ok=reason is None, reason=reason, cause="step")

    def _report(self) -> None:
        failing = [
            f"{destination.topic} partition {destination.partition}: {circuit.error}"
            for destination, circuit in self.open_circuits.items()
            if circuit.error
        ]
        more = f"; and {len(failing) - NAMED} more" if len(failing) > NAMED else ""
        reason = f"cannot be written: {'; '.join(failing[:NAMED])}{more}" if failing else None
        self.health.report("relay", ok=not failing, reason=reason)

    @staticmethod
    def _clear_metric(destination: Destination, circuit: OpenCircuit) -> None:
        if circuit.error is not None:
            RELAY_UNWRITABLE.remove(*destination, circuit.error)


@dataclass(frozen=True, slots=True)
class Parking:
    """Parks the rows of a relay. `limit`: bytes of the largest record that is tried. Methods raise StoreError."""

    outbox: PostgresOutbox
    handover: Handover
    limit: int

    async def sendable(self, records: Sequence[Record]) -> list[Record]:
        """Park records that are too large, or that follow a parked row of their note. Return the others."""
        parked_notes: set[tuple[str, str]] = set()
        sendable, behind = [], []
        for record in records:
            if record.blocked or record.note in parked_notes:
                behind.append(record)
            elif record.size > self.limit:
                parked_notes.add(record.note)
                await self.park(record, f"{record.size} bytes are more than the limit of {self.limit}")
            else:
                sendable.append(record)
        if behind:
            await self.outbox.park_behind([record.name for record in behind], BEHIND)
            RELAY_PARKED.inc(len(behind))
        return sendable

    async def park(self, record: Record, reason: str) -> None:
        """Park one row."""
        log.error("outbox row parked", position=record.position, topic=record.topic, reason=reason)
        self.handover.invalidate()  # rows of the same note may wait there
        await self.outbox.park([record.name], reason)
        RELAY_PARKED.inc()


async def send_one_by_one(destination: Destination, producer: RelayProducer, parking: Parking) -> Sent | None:
    """Send the first records of a failing destination one by one, until one fails; then close the producer.

    A record that Kafka refuses is parked. Return None if the outbox could not be read.
    """
    acknowledged: list[RowName] = []
    parked_notes: set[tuple[str, str]] = set()
    try:
        records = await parking.outbox.read_of(destination, TRIED, max_bytes=TRIED_BYTES)
        for record in await parking.sendable(records):
            if record.note in parked_notes:
                continue  # the next read parks it behind the other one
            sent = await producer.send(destination, deque([record]))
            acknowledged += sent.acknowledged
            if sent.refused:
                parked_notes.add(record.note)
                await parking.park(record, f"Kafka refuses it: {sent.error}")
            elif sent.error is not None:
                return Sent(acknowledged, sent.error)
    except ProducerUnavailable as error:
        return Sent(acknowledged, str(error))
    except StoreError:
        return Sent(acknowledged) if acknowledged else None
    finally:
        await producer.close()
    return Sent(acknowledged)
