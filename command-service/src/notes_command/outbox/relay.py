"""Moves the outbox to Kafka, in order, at least once.

Order holds with any number of relays, even two at work on one shard: each reads all rows that are present, in order,
sends them in order, and deletes only what was acknowledged. The second one sends repeats, never a record before its
turn. The lease avoids that waste; order does not depend on it.

Each destination (topic and partition) has a writer of its own. One that does not answer keeps its own batch in hand and
nobody waits for it. One that fails is in doubt: its first records are tried separately, one by one, over a producer of
their own, with back-off, until they arrive. A record that Kafka will never take is parked.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from notes_chassis.backoff import Backoff
from notes_chassis.exceptions import kinds_of
from notes_command.errors import ProducerUnavailable, StoreError
from notes_command.metrics import RELAY_FAILURES, RELAY_PARKED, RELAY_SENT
from notes_command.outbox.destinations import Destinations
from notes_command.outbox.producer import RelayProducer, Sent
from notes_command.outbox.row import Destination, Record
from notes_command.outbox.store import OCTETS, PostgresOutbox
from notes_command.signals import Signal

log = structlog.get_logger()

BATCH: Final = 1000
TRIED: Final = 100
"""Records of a destination in doubt that are tried in one go."""
GRACE_S: Final = 1.0
"""How long all destinations wait for the slowest of them."""
BEHIND: Final = "an earlier record of this note is parked"
LAST_STEP_S: Final = 5.0
RENEW_S: Final = 0.5
"""Seconds between renewals of the lease, and the slowest poll."""
OVERDUE_S: Final = 2 * RENEW_S
"""Half the time of a lease: one that is older is renewed before anything is read, since it may not be ours for long."""
Note = tuple[str, str]
Writer = asyncio.Task[Sent | None]


@dataclass(slots=True)
class Relay:
    """One a process. `run` ends by cancellation only. `limit`: bytes of the largest record that is tried."""

    outbox: PostgresOutbox
    producer: RelayProducer
    signal: Signal
    limit: int
    destinations: Destinations
    _shards: frozenset[int] = frozenset()
    _leased_at: float = float("-inf")
    _upkeep: "asyncio.Task[None] | None" = None
    _writers: dict[Destination, Writer] = field(default_factory=dict)
    _backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Send what there is, wait for more."""
        try:
            while True:
                try:
                    more = await self._whole_step()
                except (StoreError, ProducerUnavailable) as error:
                    RELAY_FAILURES.inc()
                    if isinstance(error, ProducerUnavailable):
                        self.destinations.unreachable(str(error))
                    delay = self._backoff.next()
                    log.warning("relay failed, trying again", error=str(error), delay_s=round(delay, 2))
                    await asyncio.sleep(delay)
                    continue
                self._backoff.reset()
                if not more:
                    await self.signal.wait(RENEW_S)
        finally:
            tasks = [*self._writers.values(), *(() if self._upkeep is None else (self._upkeep,))]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            self._writers.clear()
            await self.producer.close()

    async def release(self) -> None:
        """Give the shards to other instances: part of a graceful end."""
        try:
            await self.outbox.release()
        except StoreError as error:
            log.warning("leases were not released and will run out", error=str(error))

    async def _whole_step(self) -> bool:
        """Do a step; a cancellation lets it end first, so that what was sent is deleted and not sent again."""
        step = asyncio.ensure_future(self.step())
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            await asyncio.wait([step], timeout=LAST_STEP_S)
            if step.done() and (error := step.exception()):
                log.warning("last step of the relay failed", error=kinds_of(error))
            raise

    async def step(self) -> bool:
        """Send one batch; return whether there may be more. Raises StoreError and ProducerUnavailable."""
        if self._upkeep is not None and self._upkeep.done():
            done, self._upkeep = self._upkeep, None
            done.result()
        # What was just stored does not wait for this, but where the leases may be over.
        self._upkeep = self._upkeep or asyncio.create_task(self._look_after())
        if not self._shards or time.monotonic() - self._leased_at >= OVERDUE_S:
            needed, self._upkeep = self._upkeep, None
            await needed
        await self._collect()
        for destination in self.destinations.due():
            if destination not in self._writers:
                self._writers[destination] = asyncio.create_task(self._try(destination))
                self._writers[destination].add_done_callback(self._set_signal)
        if not self._shards:
            self.destinations.idle()
            return False
        aside = {*self._writers, *self.destinations.doubts}
        records = await self.outbox.read(self._shards, BATCH, aside=aside)
        if not records:
            self.destinations.idle()
        await self._write(await self._park_unsendable(records))
        # Headers take up to twice the bytes in the outbox that they have in the record.
        return len(records) == BATCH or sum(record.size for record in records) > OCTETS // 2

    async def _look_after(self) -> None:
        """Renew the leases and raise the low-water mark, each in its time."""
        if (now := time.monotonic()) - self._leased_at >= RENEW_S:
            self._shards = await self.outbox.lease()
            self._leased_at = now
            self.destinations.keep(self._shards)
        await self.outbox.raise_mark()

    async def _write(self, records: Sequence[Record]) -> None:
        """Send records to all their destinations at once; wait for the slowest, but not long."""
        if not records:
            return
        queues: dict[Destination, deque[Record]] = {}
        for record in records:
            queues.setdefault(record.destination, deque()).append(record)
        await self.producer.ready()
        for destination, queue in queues.items():
            self._writers[destination] = asyncio.create_task(self.producer.send(destination, queue))
        await asyncio.wait([self._writers[destination] for destination in queues], timeout=GRACE_S)
        slow = [destination for destination in queues if not self._writers[destination].done()]
        if slow:
            self.producer.detach()
        for destination in slow:
            queues[destination].clear()
            self._writers[destination].add_done_callback(self._set_signal)
        await self._collect()

    async def _try(self, destination: Destination) -> Sent | None:
        """Send the first records of a destination one by one, separately from all others, up to one that must wait.

        What is refused is parked. None: the outbox could not be read.
        """
        own = self.producer.separate(self.destinations.doubts[destination].answer_s)
        acknowledged: list[int] = []
        stuck: set[Note] = set()
        try:
            records = await self.outbox.read_of(destination, TRIED)
            for record in await self._park_unsendable(records):
                if record.note in stuck:
                    continue  # read again, and parked behind the other
                sent = await own.send(destination, deque([record]))
                acknowledged += sent.acknowledged
                if sent.refused:
                    stuck.add(record.note)
                    await self._park([record], f"Kafka refuses it: {sent.error}")
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
        """Delete what arrived, and note which destinations did not take what they were sent."""
        done = {destination: writer for destination, writer in self._writers.items() if writer.done()}
        for destination in done:
            del self._writers[destination]
        came = {destination: sent for destination, writer in done.items() if (sent := _result(writer)) is not None}
        await self._deleted([position for sent in came.values() for position in sent.acknowledged])
        for destination, sent in came.items():
            if sent.refused:
                self.destinations.doubt(destination)
                self.signal.set()
            elif sent.error is not None:
                self.destinations.failed(destination, sent.error)
            else:
                self.destinations.works(destination)

    def _set_signal(self, _: Writer) -> None:
        self.signal.set()

    async def _park_unsendable(self, records: Sequence[Record]) -> list[Record]:
        """Put aside what is too large, and what follows a parked row of its note, before anything is sent."""
        stuck: set[Note] = set()
        sendable, behind = [], []
        for record in records:
            if record.blocked or record.note in stuck:
                behind.append(record)
            elif record.size > self.limit:
                stuck.add(record.note)
                await self._park([record], f"{record.size} bytes are more than the limit of {self.limit}")
            else:
                sendable.append(record)
        if behind:
            await self.outbox.park_behind([record.position for record in behind], BEHIND)
            RELAY_PARKED.inc(len(behind))
        return sendable

    async def _park(self, records: Sequence[Record], reason: str) -> None:
        for record in records:
            log.error("outbox row parked", position=record.position, topic=record.topic, reason=reason)
        await self.outbox.park([record.position for record in records], reason)
        RELAY_PARKED.inc(len(records))

    async def _deleted(self, positions: Sequence[int]) -> None:
        if positions:
            await self.outbox.delete(positions)
            RELAY_SENT.inc(len(positions))


def _result(writer: Writer) -> Sent | None:
    """Return what came of a writer; None where nothing is known, and its records come again."""
    try:
        return writer.result()
    except (ProducerUnavailable, StoreError):
        return None
