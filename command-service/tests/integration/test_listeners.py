"""Who commits announces it only while somebody else may listen, and nobody who begins to listen misses a commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from command_support.builders import TOPIC, TOPICS, outcome, outcome_message

from notes_command import signals
from notes_command.pipeline.decide import Result
from notes_command.pipeline.store import PostgresStore
from notes_command.postgres import create_engine
from notes_command.signals import CommitListener
from tests.harness.waiting import eventually, stop


@asynccontextmanager
async def listening(listener: CommitListener) -> AsyncIterator[CommitListener]:
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        await stop(task)


async def test_instances_hear_of_each_other_and_of_commits_only_while_they_are_not_alone(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "CHECK_S", 0.5)
    monkeypatch.setattr(signals, "GONE_S", 3.0)
    own, elsewhere, heard = list[int](), list[int](), list[int]()
    first = CommitListener(postgres_database, [lambda: own.append(1)], [lambda: elsewhere.append(1)], "first")
    second = CommitListener(postgres_database, [lambda: heard.append(1)], [], "second")
    assert first.others, "nothing is known before it listens"
    engine = create_engine(postgres_database)
    store = PostgresStore(engine, TOPICS, "first", others=lambda: first.others)

    async def commit() -> None:
        answer = outcome()
        await store.save(TOPIC, [0], Result(outcomes=[answer], messages=[outcome_message(answer)]), {})

    async with listening(first):
        await eventually(lambda: not first.others)
        before = len(own)
        await commit()
        async with listening(second):
            await eventually(lambda: first.others and bool(second._heard_at))
            assert len(elsewhere) >= 2, "one that begins to listen is a reason to look"
            assert len(own) == before + len(elsewhere) - 1, "the commit before was not announced"
            monkeypatch.setattr(signals, "CHECK_S", 60.0)
            seen = len(heard)
            await commit()
            await eventually(lambda: len(heard) > seen)
            monkeypatch.setattr(signals, "CHECK_S", 0.5)
        await eventually(lambda: not first.others)
    assert first.others, "nothing is known of others while it does not listen"
    await engine.dispose()
