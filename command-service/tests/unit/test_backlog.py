"""How often the outbox is looked at."""

import asyncio
from types import SimpleNamespace

import pytest

from notes_chassis.health import Health
from notes_command.errors import Unavailable
from notes_command.outbox import backlog
from notes_command.outbox.backlog import OVERDUE_S, OutboxGauges
from notes_command.outbox.row import Destination, Waiting
from tests.harness.waiting import eventually


class Slow:
    """An outbox that answers late: with what waits, or not at all."""

    def __init__(self, found: list[Waiting] | None) -> None:
        self.found = found
        self.looks = 0

    async def backlog(self, **_):
        self.looks += 1
        await asyncio.sleep(0.01)
        if self.found is None:
            raise Unavailable("away")
        return self.found


@pytest.mark.parametrize("found", [None, [Waiting(Destination("events", 3), 1, 0, OVERDUE_S + 1)]])
async def test_a_slow_look_that_says_that_something_is_wrong_does_not_put_off_the_next_one(found, monkeypatch):
    """PostgreSQL comes back: the first looks waited for it, commands wait, and the relay needs a second to drain."""
    monkeypatch.setattr(backlog, "POLL_S", 0.01)
    monkeypatch.setattr(backlog, "PAUSE_FACTOR", 100_000)
    slow = Slow(found)
    looking = asyncio.create_task(OutboxGauges(slow, Health(), ("events",)).run())
    await eventually(lambda: slow.looks, lambda found: found >= 3)
    looking.cancel()


async def test_a_look_does_without_the_low_water_mark_once_that_is_due(monkeypatch):
    monkeypatch.setattr(backlog, "POLL_S", 0.01)
    monkeypatch.setattr(backlog, "PAUSE_FACTOR", 1)
    looks, seen = [], Slow([])

    async def noted(*, whole):
        looks.append(whole)
        monkeypatch.setattr(backlog, "WHOLE_S", 0.0 if len(looks) == 1 else 600.0)
        return await Slow.backlog(seen)

    seen.backlog = noted
    looking = asyncio.create_task(OutboxGauges(seen, Health(), ("events",)).run())
    await eventually(lambda: len(looks), lambda found: found >= 4)
    looking.cancel()
    assert looks[:4] == [False, True, False, False]


async def test_a_look_that_failed_late_does_not_put_off_the_next_one(monkeypatch):
    """PostgreSQL hung for a minute: what readiness and the gauges say is not a minute older than that."""
    monkeypatch.setattr(backlog, "POLL_S", 0.01)

    class Hanging:
        looks = 0

        async def backlog(self, **_):
            self.looks += 1
            raise Unavailable("TimeoutError")

    hanging = Hanging()
    monkeypatch.setattr(backlog, "time", SimpleNamespace(monotonic=lambda: 60.0 * hanging.looks))
    looking = asyncio.create_task(OutboxGauges(hanging, Health(), ("events",)).run())
    await eventually(lambda: hanging.looks, lambda found: found >= 2)
    looking.cancel()
