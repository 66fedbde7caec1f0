"""One instance's pipeline and relay on real servers, stepped by the test or run as the service runs it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from command_support.builders import TOPIC, new_id, updated_event

from notes_chassis.health import Health
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.process import TaskSupervisor
from notes_command.outbox.destinations import Destinations
from notes_command.outbox.handover import Handover
from notes_command.outbox.producer import MAX_REQUEST, RelayProducer, Sent
from notes_command.outbox.relay import Relay
from notes_command.outbox.row import Destination, Record
from notes_command.outbox.store import PostgresOutbox
from notes_command.pipeline.decide import Result
from notes_command.pipeline.rows import Topics
from notes_command.pipeline.store import PostgresStore
from notes_command.postgres import Trust, borrowed, create_engine
from notes_command.settings import Settings
from notes_command.signals import Signal

WITHIN_S = 30.0


@dataclass(slots=True)
class FaultyProducer(RelayProducer):
    """Real, but for what it raises first. `ready_faults` and `send_faults` are used up one by one."""

    ready_faults: list[BaseException] = field(default_factory=list)
    send_faults: list[BaseException] = field(default_factory=list)

    async def ready(self) -> None:
        if self.ready_faults:
            raise self.ready_faults.pop()
        await RelayProducer.ready(self)

    async def send(self, destination: Destination, records: deque[Record]) -> Sent:
        if self.send_faults:
            raise self.send_faults.pop()
        return await RelayProducer.send(self, destination, records)


class LiveRelay:
    def __init__(self, settings: Settings) -> None:
        trust = Trust()
        self.pipeline = create_engine(settings.postgres, trust=trust)
        self.relaying = create_engine(settings.postgres, 2, trust)
        self.topics = Topics(settings.topic_events, settings.topic_outcomes, settings.topic_command_dead_letters)
        handover, self.producer = Handover(), FaultyProducer(Cluster(settings.kafka))
        self.store = PostgresStore(self.pipeline, self.topics, "me", handover)
        self.outbox = PostgresOutbox(self.relaying)
        destinations = Destinations(Health())
        self.relay = Relay(self.outbox, self.producer, Signal(), MAX_REQUEST, destinations, handover)

    async def save(self, *notes: tuple[str, int]) -> None:
        """Store an event of each note, of that version, in one batch."""
        await self.store.save(TOPIC, [0], Result(messages=[updated_event(*one) for one in notes]), {})
        self.relay.signal.set()

    async def sent(self) -> None:
        """Step until nothing is left in the outbox."""
        async with asyncio.timeout(WITHIN_S):
            while sum(one.rows for one in await self.outbox.backlog(whole=True)):
                await self.relay.step()
                await asyncio.sleep(0.01)

    async def proven(self) -> None:
        """Send all there is, and raise the low-water mark over it."""
        await self.sent()
        await self.raised()

    async def raised(self) -> None:
        """Raise the low-water mark as far as it goes: nothing is stored meanwhile."""
        for _ in range(3):
            self.outbox.mark._checked_at = float("-inf")
            await self.outbox.raise_mark()

    async def handing_over(self) -> None:
        """Go on until what is stored next goes to the relay in memory."""
        async with borrowed(self.relaying), borrowed(self.relaying):
            pass  # no connection is made later
        async with asyncio.timeout(WITHIN_S):
            while True:
                await self.save((new_id(), 1))
                if self.relay.handover.waiting is not None:
                    break
                await self.proven()
                await self.relay.step()
        await self.relay.step()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[TaskSupervisor]:
        """Run it under the supervisor of the process."""
        supervisor = TaskSupervisor(Health())
        task = asyncio.create_task(supervisor.keep("relay", self.relay.run))
        try:
            yield supervisor
        finally:
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def live_relay(settings: Settings) -> AsyncIterator[LiveRelay]:
    live = LiveRelay(settings)
    try:
        yield live
    finally:
        await live.producer.close()
        await live.pipeline.dispose()
        await live.relaying.dispose()


def versions(records: Iterable[Any], note: str) -> list[int]:
    """Return the versions of a note's events as Kafka has them."""
    return [int(dict(one.headers)["ce_sequence"]) for one in records if one.key.decode() == note]
