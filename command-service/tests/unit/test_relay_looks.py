"""The look for what nobody hands over: all of that is found, and nothing is read back that waits in memory."""

import asyncio
from collections.abc import Sequence

import pytest
from command_support.memory.outbox import MemoryOutbox
from command_support.relay_setting import THREE, A, B, C, Setting

from notes_command.outbox import relay as relay_module
from notes_command.outbox.relay import Relay
from notes_command.outbox.row import Found, Record


class Looking(Setting):
    """What is stored by `store_here` is handed over as well; everything before it was sent, and that is proven."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.found: list[list[int]] = []
        read = MemoryOutbox.read

        async def noted(*arguments: object, **named: object) -> Found:
            found = await read(*arguments, **named)  # type: ignore[arg-type]
            self.found.append([record.position for record in found.records])
            return found

        monkeypatch.setattr(MemoryOutbox, "read", noted)

    async def begin(self) -> None:
        await self.store_here(A)
        await self.relay.step()
        self.outbox.mark.proven = 2
        await self.relay._read_and_write()
        self.found.clear()

    async def store_here(self, *notes: str) -> None:
        before = set(self.database.outbox)
        await self.store(*notes)
        new = sorted(set(self.database.outbox) - before)
        rows = [self.database.outbox[position].row for position in new]
        self.relay.handover.offer(1, new[0], new[-1], rows, parked=False)


async def test_what_waits_in_memory_is_not_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Looking(monkeypatch)
    await setting.begin()
    write = Relay._write

    async def slow(relay: Relay, records: Sequence[Record]) -> None:
        await write(relay, records)
        await setting.store_here(B, C)

    monkeypatch.setattr(Relay, "_write", slow)
    await setting.store_here(A, B)
    setting.relay._read_at = float("-inf")
    assert await setting.relay.step() is False
    assert (setting.found, sorted(setting.sent()), setting.left()) == ([[]], [1, 2, 3], [4, 5])
    monkeypatch.setattr(Relay, "_write", write)
    await setting.relay.step()
    assert (setting.found, sorted(setting.sent())) == ([[]], [1, 2, 3, 4, 5])


async def test_what_a_slow_destination_left_out_goes_before_what_is_stored_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though its answer comes before the next step, which then sees no writer."""
    monkeypatch.setattr(relay_module, "GRACE_S", 0.01)
    setting = Looking(monkeypatch)
    await setting.begin()
    answer = setting.producer.silent[THREE] = asyncio.Event()
    await setting.store_here(A, A, A)
    await setting.relay.step()
    answer.set()
    setting.producer.silent.clear()
    await asyncio.gather(*setting.relay._writers.values())
    await setting.store_here(A)
    await setting.relay.step()
    await setting.settled()
    assert (setting.sent(), setting.left()) == ([1, 2, 3, 4, 5], [])


async def test_what_others_store_is_found_though_nothing_of_ours_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting = Looking(monkeypatch)
    await setting.begin()
    await setting.store(B, C)
    setting.relay._read_at = float("-inf")
    await setting.relay.step()
    assert (setting.found, sorted(setting.sent()), setting.left()) == ([[2], [2, 3]], [1, 2, 3], [])


async def test_what_is_let_go_is_found_though_it_is_before_what_was_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting = Looking(monkeypatch)
    await setting.store(B)
    setting.database.outbox[1].parked = "too large"
    await setting.begin()
    setting.database.outbox[1].parked = None
    setting.relay._read_at = float("-inf")
    await setting.relay.step()
    assert (setting.found, setting.sent(), setting.left()) == ([[1], [1]], [2, 1], [])
