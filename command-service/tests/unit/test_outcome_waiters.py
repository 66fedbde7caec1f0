"""Clients that wait for an outcome: nobody misses it, nobody polls, nothing is left behind."""

import asyncio
from collections.abc import Iterable

import pytest
from command_support.builders import new_id, outcome

from notes_command.domain.note import Note
from notes_command.errors import Unavailable
from notes_command.gateway.outcomes import OutcomeWaiters
from notes_command.pipeline.decide import Outcome
from tests.harness.waiting import eventually, settle


class Outcomes:
    """A reader of outcomes that keeps what it was asked for; `on_read` happens while it reads."""

    def __init__(self) -> None:
        self.known: dict[str, Outcome] = {}
        self.asked: list[list[str]] = []
        self.error: Exception | None = None
        self.reading = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def note(self, note_id: str) -> Note | None:
        raise NotImplementedError

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        ids = list(command_ids)
        self.asked.append(ids)
        if self.error:
            raise self.error
        found = {one: self.known[one] for one in ids if one in self.known}
        self.reading.set()
        await self.go_on.wait()
        return found


@pytest.fixture
def reader() -> Outcomes:
    return Outcomes()


@pytest.fixture
def waiters(reader: Outcomes) -> OutcomeWaiters:
    return OutcomeWaiters(reader)


async def test_a_known_outcome_is_answered_at_once(reader: Outcomes, waiters: OutcomeWaiters) -> None:
    known = outcome()
    reader.known[known.command_id] = known
    assert await waiters.outcome(known.command_id, 60) == known
    assert len(waiters) == 0


async def test_an_unknown_one_without_a_wait_is_none_at_once(waiters: OutcomeWaiters) -> None:
    assert await waiters.outcome(new_id(), 0) is None
    assert len(waiters) == 0


async def test_the_wait_ends_in_time_and_leaves_nothing_behind(waiters: OutcomeWaiters) -> None:
    assert await waiters.outcome(new_id(), 0.01) is None
    assert (len(waiters), waiters._waiting) == (0, {})


async def test_a_store_that_does_not_answer_is_waited_for_no_longer_than_the_client_wants(
    reader: Outcomes, waiters: OutcomeWaiters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notes_command.gateway.outcomes.READ_S", 0.01, raising=False)
    reader.go_on.clear()
    for wait in (0, 0.02):
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await waiters.outcome(new_id(), wait)
    assert (len(waiters), waiters._waiting) == (0, {})


async def test_a_wait_shorter_than_a_read_takes_still_finds_what_is_known(
    reader: Outcomes, waiters: OutcomeWaiters
) -> None:
    known = outcome()
    reader.known[known.command_id] = known
    reader.go_on.clear()
    asking = asyncio.create_task(waiters.outcome(known.command_id, 1e-9))
    await reader.reading.wait()
    await settle()
    reader.go_on.set()
    async with asyncio.timeout(5):
        assert await asking == known


async def test_what_is_decided_here_while_the_store_does_not_answer_is_told(
    reader: Outcomes, waiters: OutcomeWaiters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notes_command.gateway.outcomes.READ_S", 0.05, raising=False)
    reader.go_on.clear()
    decided = outcome()
    asking = asyncio.create_task(waiters.outcome(decided.command_id, 0.05))
    await reader.reading.wait()
    waiters.decided([decided])
    async with asyncio.timeout(5):
        assert await asking == decided


async def test_all_clients_are_answered_with_one_query(reader: Outcomes, waiters: OutcomeWaiters) -> None:
    first, second = outcome(), outcome()
    waiting = [asyncio.create_task(waiters.outcome(one.command_id, 60)) for one in (first, first, second, outcome())]
    await until_waiting(waiters, 4)
    reader.known = {one.command_id: one for one in (first, second)}
    reader.asked.clear()
    await waiters.answer()
    assert [len(ids) for ids in reader.asked] == [3]
    async with asyncio.timeout(5):
        assert await asyncio.gather(*waiting[:3]) == [first, first, second]
    assert (len(waiters), waiting[3].done()) == (1, False)
    waiting[3].cancel()
    await asyncio.wait(waiting)
    assert waiters._waiting == {}


async def test_a_commit_between_the_read_and_the_wait_is_not_missed(reader: Outcomes, waiters: OutcomeWaiters) -> None:
    decided = outcome()
    reader.go_on.clear()
    waiting = asyncio.create_task(waiters.outcome(decided.command_id, 60))
    await reader.reading.wait()
    reader.known[decided.command_id] = decided
    answering = asyncio.create_task(waiters.answer())
    await eventually(lambda: len(reader.asked) == 2)
    reader.go_on.set()
    async with asyncio.timeout(5):
        assert await waiting == decided
        await answering


async def test_what_was_decided_here_is_answered_without_a_query(reader: Outcomes, waiters: OutcomeWaiters) -> None:
    decided, other = outcome(), outcome()
    waiting = asyncio.create_task(waiters.outcome(decided.command_id, 60))
    await until_waiting(waiters, 1)
    reader.asked.clear()
    waiters.decided([other, decided])
    async with asyncio.timeout(5):
        assert await waiting == decided
    assert (reader.asked, len(waiters)) == ([], 0)


async def test_nobody_waiting_costs_no_query(reader: Outcomes, waiters: OutcomeWaiters) -> None:
    await waiters.answer()
    assert reader.asked == []


async def test_two_commits_at_once_answer_a_client_once(reader: Outcomes, waiters: OutcomeWaiters) -> None:
    decided = outcome()
    waiting = asyncio.create_task(waiters.outcome(decided.command_id, 60))
    await until_waiting(waiters, 1)
    reader.known[decided.command_id] = decided
    await asyncio.gather(waiters.answer(), waiters.answer())
    assert await waiting == decided


async def test_a_store_that_is_away_is_said_at_once_and_leaves_nothing_behind(
    reader: Outcomes, waiters: OutcomeWaiters
) -> None:
    reader.error = Unavailable("down")
    with pytest.raises(Unavailable):
        await waiters.outcome(new_id(), 60)
    assert waiters._waiting == {}


async def test_a_commit_heard_of_while_the_store_is_away_is_answered_once_it_is_back(
    reader: Outcomes, waiters: OutcomeWaiters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notes_command.gateway.outcomes.POLL_S", 3600)
    decided = outcome()
    waiting = asyncio.create_task(waiters.outcome(decided.command_id, 60))
    await until_waiting(waiters, 1)
    reader.error = Unavailable("down")
    reader.asked.clear()
    answering = asyncio.create_task(waiters.run())
    waiters.signal.set()
    await eventually(lambda: reader.asked)
    reader.known, reader.error = {decided.command_id: decided}, None
    async with asyncio.timeout(5):
        assert await waiting == decided
    answering.cancel()
    await asyncio.wait([answering])


async def until_waiting(waiters: OutcomeWaiters, count: int) -> None:
    await eventually(lambda: len(waiters) == count)
    await settle()
