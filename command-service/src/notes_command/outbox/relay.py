"""Moves the outbox to Kafka, in order, at least once.

Order holds with any number of relays, even with two on one shard: each reads all rows that are present, in order, sends
them in order, and deletes only rows that Kafka has acknowledged. The second relay sends repeats, never a record before
its turn. Leases avoid that waste; order does not depend on them. handover.py says which rows need no read.

Each destination (topic and partition) has a writer of its own, so no destination waits for another one. A destination
that fails has an open circuit: its first records are tried one by one over another producer. A record that Kafka will
never take is parked.
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
from notes_command.outbox.destinations import LATE_S, Destinations, Parking, send_one_by_one
from notes_command.outbox.handover import Handover
from notes_command.outbox.leases import RENEW_S, Leases
from notes_command.outbox.producer import RelayProducer, Writer, result_of
from notes_command.outbox.row import Destination, Record, RowName
from notes_command.outbox.store import PostgresOutbox
from notes_command.signals import Signal

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

log = structlog.get_logger()

BATCH: Final = 1000
GRACE_S: Final = 1.0
"""Seconds that the other destinations wait for the slowest one."""
LAST_STEP_S: Final = 5.0
"""Seconds that a cancelled relay has for the step under way, and again for its deletions."""
DELETE_S: Final = 0.2
"""Seconds that acknowledged rows may stay in the outbox, so that one statement deletes those of many steps."""


@dataclass(slots=True)
class Relay:
    """Sends the outbox; a process has one. `limit`: bytes of the largest record that is tried."""

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
    _acknowledged: list[RowName] = field(default_factory=list)
    """Rows that Kafka has and that are still in the outbox."""
    _delete_at: float = 0.0
    _read_at: float = float("-inf")
    _shards: frozenset[int] = frozenset()
    _at_work: bool = False
    """A step is under way."""
    _ending: bool = False
    _backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        self.leases = Leases(self.outbox, self.destinations)
        self.parking = Parking(self.outbox, self.handover, self.limit)

    async def run(self) -> None:
        """Send rows until cancelled. A cancellation lets the step under way end, and deletes the rows that it sent."""
        self._ending = False
        self.handover.invalidate()
        sending = asyncio.create_task(self._send_continuously())
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

    async def _send_continuously(self) -> None:
        while not self._ending:
            self._at_work = True
            try:
                with late(LATE_S, self.destinations.late):
                    more = await self.step()
            except (StoreError, ProducerUnavailable) as error:
                RELAY_FAILURES.inc()
                self.handover.invalidate()
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
                await self.signal.wait(DELETE_S if self._acknowledged else RENEW_S)

    async def release(self) -> None:
        """Give the shards to other instances, for a graceful end."""
        try:
            await self.outbox.release()
        except StoreError as error:
            log.warning("leases were not released and will run out", error=str(error))

    async def step(self) -> bool:
        """Send the rows that were handed over, or a batch that is read; return whether there may be more."""
        await self.leases.keep()
        await self._collect()
        self._retry_failed_destinations()
        self._invalidate_handover_if_changed()
        handed_over = self.handover.take(self._shards)
        if handed_over:
            await self._send_handed_over(handed_over)
        must_read = handed_over is None or time.monotonic() - self._read_at >= RENEW_S
        if must_read or len(self._acknowledged) >= BATCH or time.monotonic() >= self._delete_at:
            await self._delete()
        return await self._read_and_write() if must_read else False

    def _retry_failed_destinations(self) -> None:
        for destination in self.destinations.due():
            if destination not in self._writers:
                own = self.producer.separate(self.destinations.open_circuits[destination].answer_s)
                self._writers[destination] = asyncio.create_task(send_one_by_one(destination, own, self.parking))
                self._writers[destination].add_done_callback(lambda _: self.signal.set())

    def _invalidate_handover_if_changed(self) -> None:
        if self._shards != self.leases.shards or self._writers or self.destinations.open_circuits:
            self._shards = self.leases.shards
            self.handover.invalidate()
        if self.handover.take_server_change():
            self.outbox.mark.forget()

    async def _send_handed_over(self, records: Sequence[Record]) -> None:
        await self._write(await self.parking.sendable(records))
        if not self._writers:
            SENT.observe(time.monotonic() - self.handover.oldest)

    async def _read_and_write(self) -> bool:
        """Send a batch that is read; return whether there are more rows."""
        if not self._shards:
            self.destinations.reachable()
            return False
        aside = {*self._writers, *self.destinations.open_circuits}
        self._read_at = time.monotonic()
        if await self._waits_in_memory(aside):
            return False
        self.handover.begin_read()
        found = await self.outbox.read(self._shards, BATCH, aside=aside)
        self.handover.end_read(found)
        if aside:
            self.handover.invalidate()
        if not found.records:
            self.destinations.reachable()
        await self._write(await self.parking.sendable(found.records))
        await self._delete()
        return not found.whole

    async def _waits_in_memory(self, aside: Collection[Destination]) -> bool:
        """Return whether all rows of the outbox are handed over. To read them costs a tenth of the relay's CPU."""
        waiting = self.handover.waiting
        if waiting is None:
            return False
        others = (await self.outbox.read(self._shards, 1, aside=aside, waiting=waiting)).records
        waiting = self.handover.waiting  # by now more rows may wait
        return waiting is not None and all(record.position in waiting for record in others)

    async def _write(self, records: Sequence[Record]) -> None:
        """Send records to all their destinations at once. Wait at most GRACE_S for the slowest one."""
        if not records:
            return
        queues: dict[Destination, deque[Record]] = {}
        for record in records:
            queues.setdefault(record.destination, deque()).append(record)
        with nullcontext() if self.tracing is None else self.tracing.sending(records):
            await self.producer.ready()
            self.destinations.reachable()
            for destination, queue in queues.items():
                self._writers[destination] = asyncio.create_task(self.producer.send(destination, queue))
            await asyncio.wait([self._writers[destination] for destination in queues], timeout=GRACE_S)
        slow = [destination for destination in queues if not self._writers[destination].done()]
        if slow:
            self.producer.detach()
            self.handover.invalidate()  # the rows left in their queues are read again, before any later row
        for destination in slow:
            queues[destination].clear()
            self._writers[destination].add_done_callback(lambda _: self.signal.set())
        await self._collect()

    async def _collect(self) -> None:
        """Take the results of the writers that are done."""
        if not self._acknowledged:
            self._delete_at = time.monotonic() + DELETE_S
        for destination in [destination for destination, writer in self._writers.items() if writer.done()]:
            sent = result_of(self._writers.pop(destination))
            if sent is None:
                self.handover.invalidate()
                continue
            self._acknowledged += sent.acknowledged
            if sent.refused:
                self.destinations.refused(destination)
                self.signal.set()
            elif sent.error is not None:
                self.destinations.failed(destination, sent.error)
            else:
                self.destinations.works(destination)

    async def _delete(self) -> None:
        """Delete the rows that Kafka has acknowledged."""
        acknowledged = self._acknowledged.copy()
        if acknowledged:
            await self.outbox.delete(acknowledged)
            del self._acknowledged[: len(acknowledged)]
            RELAY_SENT.inc(len(acknowledged))
