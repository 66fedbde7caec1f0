import asyncio

import pytest

from tools.markdown_import import in_flight
from tools.markdown_import.in_flight import InFlight, Sent

SENT = Sent("a.md", "id", "A", (), "digest", 0.0, 1)


async def test_at_most_the_limit_is_out_while_answers_come() -> None:
    out = InFlight(2, patience=60)
    out.add("1", SENT)
    assert await out.room() == 1
    out.add("2", SENT)
    waiting = asyncio.create_task(out.room())
    await asyncio.wait({waiting}, timeout=0.05)
    assert not waiting.done()
    out.take("1")
    assert await waiting == 1


async def test_patience_begins_with_the_first_command_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(in_flight, "monotonic", lambda: now)
    out = InFlight(1, patience=60)
    now = 2000.0
    out.add("1", SENT)
    answer = asyncio.create_task(out.answer())
    await asyncio.wait({answer}, timeout=0.05)
    assert not answer.done()
    out.take("1")
    assert await answer


async def test_a_second_outcome_of_a_command_is_nobodys() -> None:
    out = InFlight(1, patience=60)
    out.add("1", SENT)
    assert out.take("1") == SENT
    assert out.take("1") is None
    assert out.take("somebody else's") is None
