"""Offsets are committed behind the batches, one commit at a time, and not too often."""

import asyncio

import pytest
from aiokafka import TopicPartition

from notes_chassis.kafka import commits as module
from notes_chassis.kafka.aiokafka_internals import Offsets
from notes_chassis.kafka.commits import CommitSchedule

ONE, TWO = TopicPartition("commands", 1), TopicPartition("commands", 2)


class Kafka:
    """Answers a commit once it may."""

    def __init__(self) -> None:
        self.done: list[Offsets] = []
        self.may_answer, self.idle, self.hurry = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.commits = CommitSchedule(self.commit, self.idle.set, self.hurry)
        self.refusals: list[Exception] = []

    async def commit(self, offsets: Offsets) -> None:
        await self.may_answer.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        self.done.append(offsets)

    async def until_idle(self) -> None:
        async with asyncio.timeout(5):
            await self.idle.wait()


async def test_what_comes_during_a_commit_is_in_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL_S", 0.01)
    kafka = Kafka()
    kafka.commits.add({ONE: 1})
    await asyncio.sleep(0)  # the first one begins
    kafka.commits.add({ONE: 2})
    kafka.commits.add({ONE: 3, TWO: 6})
    assert kafka.commits.under_way
    assert not kafka.idle.is_set(), "a rebalance waits for what is not committed"
    kafka.may_answer.set()
    await kafka.until_idle()
    assert kafka.done == [{ONE: 1}, {ONE: 3, TWO: 6}]


async def test_a_moment_passes_between_commits_unless_there_is_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL_S", 60.0)
    kafka = Kafka()
    kafka.may_answer.set()
    kafka.commits.add({ONE: 1})
    await kafka.until_idle()
    kafka.idle.clear()
    for offset in (2, 3, 4):
        kafka.commits.add({ONE: offset})
        await asyncio.sleep(0.01)
    assert kafka.done == [{ONE: 1}]
    kafka.hurry.set()
    await kafka.until_idle()
    assert kafka.done == [{ONE: 1}, {ONE: 4}]


async def test_a_bug_in_a_commit_does_not_end_committing() -> None:
    kafka = Kafka()
    kafka.may_answer.set()
    kafka.refusals = [RuntimeError("?")]
    kafka.commits.add({ONE: 1})
    await kafka.until_idle()
    kafka.idle.clear()
    kafka.commits.add({ONE: 2})
    await kafka.until_idle()
    assert kafka.done == [{ONE: 2}]
