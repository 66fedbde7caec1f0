"""Races for real: what transactions that run at once may not do to each other."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from command_support.builders import NOW, TOPIC, create, created, envelope, new_id, note, outcome, source, update
from command_support.world import World

from notes_command.domain.note import Note
from notes_command.errors import Conflict
from notes_command.pipeline.decide import Outcome, Result
from notes_command.pipeline.decode import Envelope
from notes_command.pipeline.process import BatchProcessor, Store, UnitOfWork
from tests.harness.waiting import settle

WORKERS = 20


@dataclass
class HesitatingUnit:
    """Gives everybody else a chance between what is read and what is written."""

    inner: UnitOfWork

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        return await self.inner.outcomes(command_ids)

    async def notes(self, note_ids: Iterable[str]) -> dict[str, Note]:
        found = await self.inner.notes(note_ids)
        await settle()
        return found

    async def save(self, result: Result) -> None:
        await self.inner.save(result)
        await settle()


@dataclass
class Hesitating:
    inner: Store

    async def read_without_locks(
        self, command_ids: Iterable[str], note_ids: Iterable[str]
    ) -> tuple[dict[str, Outcome], dict[str, Note]]:
        found = await self.inner.read_without_locks(command_ids, note_ids)
        await settle()
        return found

    async def save(self, topic: str, partitions: Iterable[int], result: Result, read: Mapping[str, Note]) -> None:
        await self.inner.save(topic, partitions, result, read)
        await settle()

    @asynccontextmanager
    async def transaction(
        self, topic: str, partitions: Iterable[int], *, patient: bool = True
    ) -> AsyncIterator[UnitOfWork]:
        async with self.inner.transaction(topic, partitions, patient=patient) as unit:
            yield HesitatingUnit(unit)


async def process(world: World, command: Envelope) -> Outcome:
    processor = BatchProcessor(Hesitating(world.store), now=lambda: NOW, new_id=new_id)
    ((answer,),) = [result.outcomes for result in await processor.process([command])]
    return answer


class RaceSuite:
    async def test_transactions_on_one_partition_wait_for_each_other(self, world: World) -> None:
        at_work = 0

        async def work() -> None:
            nonlocal at_work
            async with world.store.transaction(TOPIC, [1, 4]) as unit:
                at_work += 1
                await unit.outcomes([new_id()])
                await settle()
                assert at_work == 1
                at_work -= 1

        await asyncio.gather(*(work() for _ in range(WORKERS)))

    async def test_transactions_on_other_partitions_do_not_wait(self, world: World) -> None:
        async with (
            asyncio.timeout(20),
            world.store.transaction(TOPIC, [1]),
            world.store.transaction(TOPIC, [2]),
            world.store.transaction("another-topic", [1]),
        ):
            pass

    async def test_partitions_named_in_any_order_do_not_deadlock(self, world: World) -> None:
        async def work(*partitions: int) -> None:
            async with world.store.transaction(TOPIC, partitions) as unit:
                await unit.outcomes([new_id()])

        async with world.store.transaction(TOPIC, [2]) as unit:
            workers = [asyncio.create_task(work(*order)) for order in [(1, 2, 3), (3, 2, 1)] * 5]
            await settle()
            await unit.outcomes([new_id()])
        await asyncio.gather(*workers)

    @pytest.mark.parametrize("partitions", [1, WORKERS], ids=["one partition", "a partition each"])
    async def test_twenty_writers_of_one_note_make_dense_versions(self, world: World, partitions: int) -> None:
        """With a partition each, as of upstreams that partition in another way, only the note's row is between them."""
        kept = note()
        await world.save(created(kept))

        async def write(worker: int) -> None:
            command = envelope(update(kept.id, f"body {worker}"), source=source(partition=worker % partitions))
            assert (await process(world, command)).status == "accepted"

        await asyncio.gather(*(write(worker) for worker in range(WORKERS)))
        stored = await world.store.note(kept.id)
        assert stored is not None
        assert stored.version == WORKERS + 1
        events = [dict(row.headers) for row in await world.rows() if row.topic == "notes.events"]
        sequences = [int(headers["ce_sequence"] or b"") for headers in events]
        assert sequences == list(range(2, WORKERS + 2)), "dense, and in the outbox in that order"

    async def test_of_twenty_creators_of_one_note_one_wins(self, world: World) -> None:
        note_id = new_id()

        async def write(partition: int) -> str:
            command = envelope(create(note_id, body=f"body {partition}"), source=source(partition=partition))
            answer = await process(world, command)
            return str(answer.code or answer.status)

        answers = await asyncio.gather(*(write(partition) for partition in range(WORKERS)))
        assert sorted(answers) == ["accepted", *["note_already_exists"] * (WORKERS - 1)]

    async def test_of_twenty_answers_to_one_command_one_is_stored(self, world: World) -> None:
        command_id = new_id()

        async def answer(partition: int) -> bool:
            try:
                await world.save(Result(outcomes=[outcome(command_id=command_id)]), partition)
            except Conflict:
                return False
            return True

        assert sum(await asyncio.gather(*(answer(partition) for partition in range(WORKERS)))) == 1
