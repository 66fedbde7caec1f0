"""How often the outbox is looked at."""

import asyncio

from notes_chassis.health import Health
from notes_command.errors import Unavailable
from notes_command.outbox import backlog
from notes_command.outbox.backlog import OutboxGauges


class Away:
    """An outbox whose server does not answer."""

    def __init__(self) -> None:
        self.looks = 0

    async def backlog(self):
        self.looks += 1
        await asyncio.sleep(0.01)
        raise Unavailable("away")


async def test_a_look_that_found_no_server_does_not_put_off_the_next_one(monkeypatch):
    monkeypatch.setattr(backlog, "LOOK_S", 0.01)
    monkeypatch.setattr(backlog, "LOOKS_PART", 100_000)
    away = Away()
    looking = asyncio.create_task(OutboxGauges(away, Health(), ()).run())
    async with asyncio.timeout(10):
        while away.looks < 3:
            await asyncio.sleep(0.01)
    looking.cancel()
