"""Moves the outbox to Kafka, in order, at least once.

Order holds with any number of relays, even two at work on one shard: each reads all rows that are present, in order,
sends them in order, and deletes only what was acknowledged. The second one sends repeats, never a record before its
turn. The lease avoids that waste; order does not depend on it. What need not be read back: handover.py.

Each destination (topic and partition) has a writer of its own; nobody waits for one that does not answer. One that
fails is in doubt: its first records are tried one by one over another producer. What Kafka will never take is parked.
"""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from notes_chassis.process import Backoff, late
from notes_command.errors import ProducerUnavailable, StoreError
from notes_command.metrics import RELAY_FAILURES, RELAY_SENT, SENT
from notes_command.outbox.destinations import LATE_S, Destinations, Parking
from notes_command.outbox.handover import Handover
from notes_command.outbox.leases import RENEW_S, Leases
from notes_command.outbox.producer import RelayProducer, Sent, Writer, result_of
from notes_command.outbox.row import Destination, Record, RowName
from notes_command.outbox.store import PostgresOutbox
from notes_command.signals import Signal

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

log = structlog.get_logger()

BATCH: Final = 1000
TRIED: Final = 100
"""Records of a destination in doubt that are tried in one go."""
TRIED_OCTETS: Final = 256 * 1024
"""Bytes of them, or a single row: as many destinations as there are may be in doubt at once."""
GRACE_S: Final = 1.0
"""How long all destinations wait for the slowest of them."""
LAST_STEP_S: Final = 5.0
DELETE_S: Final = 0.2
"""How long what has arrived stays in the outbox at a low rate: one statement deletes it for many steps."""


@dataclass(slots=True)
class Relay:
    """One a process. `run` ends by cancellation only. `limit`: bytes of the largest record that is tried."""

    outbox: PostgresOutbox
    producer: RelayProducer
    signal: Signal
    limit: int
    destinations: Destinations
    handover: Handover = field(default_factory=Handover)
    tracing: "Tracing | None" = None
    leases: Leases = field(init=False)
    parking: Parking = field(init=False)
    _writers: dict[Destination, Writer] = field(default_factory=dict)
    _arrived: list[RowName] = field(default_factory=list)
    _delete_at: float = 0.0
    _read_at: float = float("-inf")
    _shards: frozenset[int] = frozenset()
    _at_work: bool = False
    _ending: bool = False
    _backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        self.leases = Leases(self.outbox, self.destinations)
        self.parking = Parking(self.outbox, self.handover, self.limit)

    async def run(self) -> None:
        """Send what there is, wait for more. A cancellation lets the step under way end, and deletes what it sent."""
        self._ending = False
        self.handover.lose()
        sending = asyncio.create_task(self._send_on())
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            self._ending = True
            if self._at_work:
                await asyncio.wait([sending], timeout=LAST_STEP_S)
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(LAST_STEP_S):
                    await self._delete()
            raise
        finally:
            tasks = [sending, *self._writers.values(), *self.leases.end()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._writers.clear()
            await self.producer.close()

    async def _send_on(self) -> None:
        while not self._ending:
            self._at_work = True
            try:
                with late(LATE_S, self.destinations.late):
                    more = await self.step()
            except (StoreError, ProducerUnavailable) as error:
                RELAY_FAILURES.inc()
                self.handover.lose()
                if isinstance(error, ProducerUnavailable):
                    self.destinations.unreachable(str(error))
                else:
                    self.destinations.stopped(f"the outbox cannot be read: {error}")
                delay = self._backoff.next()
                log.warning("relay failed, trying again", error=str(error), delay_s=round(delay, 2))
                self._at_work = False
                await asyncio.sleep(delay)
                continue
            self._backoff.reset()
            self.destinations.stopped(None)
            self._at_work = False
            if not more:
                await self.signal.wait(DELETE_S if self._arrived else RENEW_S)

    async def release(self) -> None:
        """Give the shards to other instances: part of a graceful end."""
        try:
            await self.outbox.release()
        except StoreError as error:
            log.warning("leases were not released and will run out", error=str(error))

    async def step(self) -> bool:
        """Send what was handed over, or a batch that is read; return whether there may be more."""
        await self.leases.keep()
        await self._collect()
        for destination in [one for one in self.destinations.due() if one not in self._writers]:
            self._writers[destination] = asyncio.create_task(self._try(destination))
            self._writers[destination].add_done_callback(lambda _: self.signal.set())
        if self._shards != self.leases.shards or self._writers or self.destinations.doubts:
            self._shards = self.leases.shards
            self.handover.lose()
        if self.handover.moved():
            self.outbox.mark.forget()
        handed = self.handover.take(self._shards)
        if handed:
            await self._write(await self.parking.sendable(handed))
            if not self._writers:
                SENT.observe(time.monotonic() - self.handover.oldest)
        look = handed is None or time.monotonic() - self._read_at >= RENEW_S
        if look or len(self._arrived) >= BATCH or time.monotonic() >= self._delete_at:
            await self._delete()
        return await self._read_and_write() if look else False

    async def _read_and_write(self) -> bool:
        if not self._shards:
            self.destinations.reachable()
            return False
        aside, self._read_at = {*self._writers, *self.destinations.doubts}, time.monotonic()
        if await self._waits_in_memory(aside):
            return False
        self.handover.reading()
        found = await self.outbox.read(self._shards, BATCH, aside=aside)
        self.handover.read(found)
        if aside:
            self.handover.lose()
        if not found.records:
            self.destinations.reachable()
        await self._write(await self.parking.sendable(found.records))
        await self._delete()
        return not found.whole

    async def _waits_in_memory(self, aside: Collection[Destination]) -> bool:
        """Say whether all that is in the outbox is handed over: then reading it back is a tenth of the relay's CPU."""
        found: Sequence[Record] = ()
        if (waiting := self.handover.waiting) is not None:
            found = (await self.outbox.read(self._shards, 1, aside=aside, waiting=waiting)).records
            waiting = self.handover.waiting  # more may be, by now
        return waiting is not None and all(record.position in waiting for record in found)

    async def _write(self, records: Sequence[Record]) -> None:
        """Send records to all their destinations at once; wait for the slowest, but not long."""
        if not records:
            return
        queues: dict[Destination, deque[Record]] = {}
        for record in records:
            queues.setdefault(record.destination, deque()).append(record)
        with nullcontext() if self.tracing is None else self.tracing.sending(records):
            await self.producer.ready()
            self.destinations.reachable()
            self._writers |= {one: asyncio.create_task(self.producer.send(one, queue)) for one, queue in queues.items()}
            await asyncio.wait([self._writers[destination] for destination in queues], timeout=GRACE_S)
        if slow := [destination for destination in queues if not self._writers[destination].done()]:
            self.producer.detach()
            self.handover.lose()  # what their queues still hold is read again, before anything later
        for destination in slow:
            queues[destination].clear()
            self._writers[destination].add_done_callback(lambda _: self.signal.set())
        await self._collect()

    async def _try(self, destination: Destination) -> Sent | None:
        """Send the first records of a destination one by one, separately from all others, up to one that must wait.

        What is refused is parked. None: the outbox could not be read.
        """
        own = self.producer.separate(self.destinations.doubts[destination].answer_s)
        acknowledged: list[RowName] = []
        stuck: set[tuple[str, str]] = set()
        try:
            records = await self.outbox.read_of(destination, TRIED, octets=TRIED_OCTETS)
            for record in await self.parking.sendable(records):
                if record.note in stuck:
                    continue  # read again, and parked behind the other
                sent = await own.send(destination, deque([record]))
                acknowledged += sent.acknowledged
                if sent.refused:
                    stuck.add(record.note)
                    await self.parking.park(record, f"Kafka refuses it: {sent.error}")
                elif sent.error is not None:
                    return Sent(acknowledged, sent.error)
        except ProducerUnavailable as error:
            return Sent(acknowledged, str(error))
        except StoreError:
            return Sent(acknowledged) if acknowledged else None
        finally:
            await own.close()
        return Sent(acknowledged)

    async def _collect(self) -> None:
        """Note what has arrived, and which destinations did not take what they were sent."""
        done = {one: self._writers.pop(one) for one in [to for to, writer in self._writers.items() if writer.done()]}
        came = {destination: sent for destination, writer in done.items() if (sent := result_of(writer)) is not None}
        if not self._arrived:
            self._delete_at = time.monotonic() + DELETE_S
        self._arrived += [row for sent in came.values() for row in sent.acknowledged]
        for destination, sent in came.items():
            if sent.refused:
                self.destinations.doubt(destination)
                self.signal.set()
            elif sent.error is not None:
                self.destinations.failed(destination, sent.error)
            else:
                self.destinations.works(destination)
        if len(came) < len(done):
            self.handover.lose()

    async def _delete(self) -> None:
        """Delete what has arrived."""
        if arrived := self._arrived.copy():
            await self.outbox.delete(arrived)
            del self._arrived[: len(arrived)]
            RELAY_SENT.inc(len(arrived))
