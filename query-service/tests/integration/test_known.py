"""A projector reads nothing that it knows; where another process has written meanwhile, it comes to the same."""

from collections.abc import Callable
from typing import Any

import pytest
from query_support.fixtures import Samples
from query_support.memory_dead_letters import MemoryDeadLetters

from notes_query.mongo.database import Database
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projections.note import evolve

NOTES = "notes_v2_1"


class Projector:
    """One process's part: what it knows, and whom it has told of what."""

    def __init__(self, database: Database, samples: Samples) -> None:
        self.told: list[int] = []
        self.store = FoldStore(database, NOTES)
        self.fold = FoldReadModel(
            "notes", evolve, self.store, MemoryDeadLetters(), lambda: samples.start, stored=self._stored
        )
        self._samples = samples

    def _stored(self, documents: Any) -> None:
        self.told += [document["version"] for document in documents]

    async def __call__(self, *messages: Any, name: str = "") -> Any:
        return await self.fold([self._samples.event(one, **({"name": name} if name else {})) for one in messages])


@pytest.fixture
def here(database: Database, samples: Samples) -> Projector:
    return Projector(database, samples)


@pytest.fixture
def elsewhere(database: Database, samples: Samples) -> Projector:
    """Give the part of a process that redrives a dead letter, or of the partition's owner before."""
    return Projector(database, samples)


@pytest.fixture
def stored(database: Database, samples: Samples) -> Callable[..., Any]:
    async def stored() -> tuple[int, bool]:
        found = await database[NOTES].find_one({"_id": samples.note})
        return found["version"], found["parked"]

    return stored


async def test_a_document_that_another_has_moved_on_is_read_again(
    here: Projector, elsewhere: Projector, stored: Any, samples: Samples
):
    await here(samples.created())
    await elsewhere(samples.updated())
    here.told.clear()

    counts = await here(samples.updated())

    # It counts as applied: of several replaces it is not told which one changed nothing, and this could be our own.
    assert (counts.applied, counts.ignored, await stored()) == (1, 0, (2, False))
    assert here.told == [2], "whether it was stored here is not known, so readers look"
    await elsewhere(samples.updated(version=3), samples.updated(version=4))
    await here(*(samples.updated(version=at) for at in (3, 4, 5)))
    assert await stored() == (5, False)


async def test_a_fork_that_another_has_found_stops_the_note_here_at_once(
    here: Projector, elsewhere: Projector, stored: Any, samples: Samples
):
    await here(samples.created(), samples.updated())
    await elsewhere(samples.updated(body="another"), name="another")
    assert await stored() == (2, True)

    counts = await here(samples.updated(version=3))

    assert (counts.applied, counts.parked, await stored()) == (0, 1, (2, True))


async def test_what_another_has_parked_is_released_at_the_next_look_and_its_note_marked(
    here: Projector, elsewhere: Projector, stored: Any, samples: Samples
):
    await here(samples.created(samples.other))
    await elsewhere(samples.updated(version=3), samples.updated(version=5))
    await here(samples.created(), samples.updated())
    assert await stored() == (2, False), "nothing is known here of what waits"

    await here.fold.heal_next()

    assert await stored() == (3, True)


async def test_what_was_parked_here_is_known_at_once_and_after_a_change_of_partitions_too(
    here: Projector, elsewhere: Projector, stored: Any, samples: Samples
):
    await here(samples.created())
    await here(samples.updated(version=3))
    await here(samples.updated())
    assert await stored() == (3, False)

    await elsewhere(samples.updated(version=5))
    here.store.forget()
    await here(samples.updated(version=4))
    assert await stored() == (5, False)


async def test_what_waited_when_a_snapshot_jumped_over_it_is_told_from_another_history(
    here: Projector, stored: Any, samples: Samples
):
    await here(samples.created())
    await here(samples.updated(version=4), samples.updated(version=5))
    await here(samples.snapshotted(version=6))
    assert await stored() == (6, False)

    assert (await here(samples.updated(version=4))).ignored == 1
    counts = await here(samples.updated(version=5), samples.updated(version=7), name="another")
    assert (counts.forked, counts.parked) == (1, 1)
    assert await stored() == (6, True)
