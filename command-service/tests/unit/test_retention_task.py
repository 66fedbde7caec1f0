"""The task that keeps inbox and dead letters to their time."""

import asyncio
from types import SimpleNamespace

import pytest

from notes_command.errors import Unavailable
from notes_command.pipeline import retention
from notes_command.pipeline.retention import ROWS, Retention
from tests.harness.waiting import eventually, stop


class Answers(Retention):
    """Stands in for PostgreSQL: one answer a call, then nothing left to delete. Counts how often it was asked."""

    __slots__ = ("answers", "counts")

    def __init__(self, *answers: tuple[int, int] | Exception) -> None:
        object.__setattr__(self, "answers", list(answers))
        object.__setattr__(self, "counts", [])

    async def count_dead_letters(self) -> dict[str, int]:
        return {}

    async def delete_old(self, count: int) -> tuple[int, int]:
        self.counts.append(count)
        answer = self.answers.pop(0) if self.answers else (0, 0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the pauses taken; the tenth never ends."""
    slept: list[float] = []

    async def noted(seconds: float) -> None:
        slept.append(seconds)
        await (asyncio.sleep(0) if len(slept) < 10 else asyncio.Event().wait())

    monkeypatch.setattr(retention, "asyncio", SimpleNamespace(sleep=noted))
    return slept


async def run(answers: Answers, pauses: list[float], steps: int) -> None:
    running = asyncio.create_task(answers.run())
    await eventually(lambda: len(pauses) >= steps)
    await stop(running)


async def test_it_goes_on_while_either_kind_has_more_and_pauses_between(pauses: list[float]) -> None:
    answers = Answers((ROWS, 3), (0, ROWS), (5, 0))
    await run(answers, pauses, 3)
    assert pauses[:3] == [retention.PAUSE_S, retention.PAUSE_S, retention.CHECK_S]
    assert answers.counts[:3] == [ROWS] * 3


async def test_a_store_that_is_away_is_asked_again_later(pauses: list[float]) -> None:
    answers = Answers(Unavailable("away"), (ROWS, 0), Unavailable("away again"), (1, 1))
    await run(answers, pauses, 4)
    assert pauses[:4] == [retention.CHECK_S, retention.PAUSE_S, retention.CHECK_S, retention.CHECK_S]
