"""Moves the outbox to Kafka, in order, at least once.

Order holds with any number of relays, even two at work on one shard: each reads all rows that are present, in order,
sends them in order, and deletes only what was acknowledged. Whoever comes second sends repeats, never anything
before its turn. The lease keeps that from being wasteful; it is not what order rests on.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from notes_chassis.backoff import Backoff
from notes_command.application.ports import StoreError
from notes_command.application.relay_ports import Broker, Outbox, Record, SendFailed
from notes_command.entrypoints.metrics import RELAY_FAILURES, RELAY_PARKED, RELAY_SENT
from notes_command.entrypoints.wakeup import Wakeup

log = structlog.get_logger()

BATCH: Final = 1000
BEHIND: Final = "an earlier record of this note is parked"
LAST_STEP_S: Final = 5.0
RENEW_S: Final = 0.5
"""Seconds between renewals of the lease, and the slowest poll."""
Note = tuple[str, str]


@dataclass(slots=True)
class Relay:
    """One a process. `run` ends by cancellation only. `limit`: bytes of the largest record that is tried."""

    outbox: Outbox
    broker: Broker
    wakeup: Wakeup
    limit: int
    _shards: frozenset[int] = frozenset()
    _leased_at: float = float("-inf")
    _backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Send what there is, wait for more."""
        try:
            while True:
                try:
                    more = await self._whole_step()
                except (StoreError, SendFailed) as error:
                    RELAY_FAILURES.inc()
                    delay = self._backoff.next()
                    log.warning("relay failed, trying again", error=str(error), delay_s=round(delay, 2))
                    await asyncio.sleep(delay)
                    continue
                self._backoff.reset()
                if not more:
                    await self.wakeup.wait(RENEW_S)
        finally:
            await self.broker.close()

    async def release(self) -> None:
        """Give the shards to whoever wants them: part of a graceful end."""
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
                log.warning("last step of the relay failed", error=str(error))
            raise

    async def step(self) -> bool:
        """Send one batch; return whether there may be more. Raises StoreError and SendFailed."""
        if time.monotonic() - self._leased_at >= RENEW_S:
            self._shards = await self.outbox.lease()
            self._leased_at = time.monotonic()
        if not self._shards:
            return False
        records = await self.outbox.read(self._shards, BATCH)
        stuck: set[Note] = set()
        sendable = await self._park_unsendable(records, stuck)
        if sendable:
            await self._send(sendable, stuck)
        return len(records) == BATCH

    async def _park_unsendable(self, records: Sequence[Record], stuck: set[Note]) -> list[Record]:
        """Put aside what is too large, and what follows a parked row of its note, before anything is sent."""
        sendable, behind = [], []
        for record in records:
            if record.blocked or record.note in stuck:
                behind.append(record)
            elif record.size > self.limit:
                stuck.add(record.note)
                await self._park([record], f"{record.size} bytes are more than the limit of {self.limit}")
            else:
                sendable.append(record)
        await self._park(behind, BEHIND)
        return sendable

    async def _park(self, records: Sequence[Record], reason: str) -> None:
        if not records:
            return
        for record in records:
            log.error("outbox row parked", position=record.position, topic=record.topic, reason=reason)
        await self.outbox.park([record.position for record in records], reason)
        RELAY_PARKED.inc(len(records))

    async def _send(self, records: Sequence[Record], stuck: set[Note]) -> None:
        try:
            await self.broker.send(records)
        except SendFailed as failure:
            await self._deleted(failure.acknowledged)
            if not failure.refused:
                raise
            arrived = set(failure.acknowledged)
            await self._send_singly([record for record in records if record.position not in arrived], stuck)
        else:
            await self._deleted([record.position for record in records])

    async def _send_singly(self, records: Sequence[Record], stuck: set[Note]) -> None:
        """Find the record that the broker refuses: it and what follows of its note are parked, the rest flows."""
        behind = []
        for record in records:
            if record.note in stuck:
                behind.append(record)
                continue
            try:
                await self.broker.send([record])
            except SendFailed as failure:
                if not failure.refused:
                    await self._park(behind, BEHIND)
                    raise
                stuck.add(record.note)
                await self._park([record], str(failure))
            else:
                await self._deleted([record.position])
        await self._park(behind, BEHIND)

    async def _deleted(self, positions: Sequence[int]) -> None:
        if positions:
            await self.outbox.delete(positions)
            RELAY_SENT.inc(len(positions))
