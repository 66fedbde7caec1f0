"""What is decided is stored with a time that PostgreSQL's clock confirms."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from command_support.builders import NOW, TOPICS, new_id
from command_support.kafka_records import binary, created
from command_support.memory.database import MemoryDatabase
from command_support.memory.store import MemoryStore

from notes_chassis.kafka.lag import Tracker
from notes_command.errors import ClocksDiffer, Unavailable
from notes_command.pipeline.batches import CommandBatches
from notes_command.pipeline.clock import APART, STEP_S, ClockCheck
from notes_command.pipeline.process import BatchProcessor

HOUR = timedelta(hours=1)
BOOTED = datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)
"""What a machine says that has not set its clock yet."""


class Clocks:
    """Ours and PostgreSQL's, which counts how often it is asked."""

    def __init__(self, ours: datetime, theirs: datetime) -> None:
        self.ours, self.theirs, self.passed_s, self.asked = ours, theirs, 0.0, 0
        self.away = False
        self.check = ClockCheck(lambda: self.ours, self.ask, lambda: self.passed_s)

    async def ask(self) -> datetime:
        self.asked += 1
        if self.away:
            raise Unavailable("away")
        return self.theirs

    def wait(self, time: timedelta) -> None:
        self.ours, self.theirs, self.passed_s = (
            self.ours + time,
            self.theirs + time,
            self.passed_s + time.total_seconds(),
        )


async def test_clocks_that_agree_are_compared_once() -> None:
    clocks = Clocks(NOW, NOW + APART)
    for _ in range(3):
        await clocks.check()
        clocks.wait(timedelta(days=30))
    assert clocks.asked == 1


@pytest.mark.parametrize(
    ("ours", "said"),
    [(BOOTED, "days behind PostgreSQL's"), (NOW + timedelta(days=60), "60 days ahead of PostgreSQL's")],
)
async def test_clocks_far_apart_are_compared_until_they_agree(ours: datetime, said: str) -> None:
    clocks = Clocks(ours, NOW)
    for _ in range(2):
        with pytest.raises(ClocksDiffer, match=said):
            await clocks.check()
    clocks.ours = NOW
    await clocks.check()
    await clocks.check()
    assert clocks.asked == 3


async def test_a_clock_that_is_set_later_is_compared_again() -> None:
    clocks = Clocks(NOW, NOW)
    await clocks.check()
    clocks.ours += timedelta(seconds=STEP_S - 1)
    await clocks.check()
    assert clocks.asked == 1
    clocks.ours = BOOTED
    with pytest.raises(ClocksDiffer):
        await clocks.check()
    clocks.away, clocks.ours = True, NOW - 2 * HOUR
    with pytest.raises(Unavailable, match="away"):
        await clocks.check()
    clocks.away = False
    await clocks.check()
    assert clocks.asked == 4


async def test_nothing_of_a_batch_is_stored_before_the_clock_is_right() -> None:
    clocks, database = Clocks(BOOTED, NOW), MemoryDatabase()
    processor = BatchProcessor(MemoryStore(database, TOPICS), lambda: clocks.ours, new_id)
    check: Callable[[], Awaitable[None]] = clocks.check
    batches = CommandBatches(processor, lambda _: None, Tracker("group", lambda: NOW), check)
    records = [binary(created())]
    with pytest.raises(ClocksDiffer):
        await batches(records)
    assert not database.inbox
    clocks.ours = NOW
    await batches(records)
    assert [outcome.at for outcome in database.inbox.values()] == [NOW]
