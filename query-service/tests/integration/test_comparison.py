"""What readers would lose by a switch is found, wherever in the order of ids it is."""

from typing import Any

import pytest
from query_support.fixtures import Database, Samples

from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_store import FoldStore
from notes_query.projections.note import READ_MODEL
from notes_query.rebuilding import stored_documents as module
from notes_query.rebuilding.stored_documents import StoredDocuments

OLD, NEW = "notes_v2_1", "notes_v2_2"
COUNT = 23
ALL = range(COUNT)


@pytest.fixture(params=[3, 10, 100])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", request.param)


@pytest.fixture
def fill(database: Database, samples: Samples) -> Any:
    ids = sorted(samples.id(f"{number}") for number in ALL)

    async def fill(collection: str, places: Any, version: int = 2) -> list[str]:
        """Store documents at these places of the order of ids; give their ids."""
        chosen = [ids[place] for place in places]
        documents = [
            samples.document(samples.created(one), *(samples.updated(one, at) for at in range(2, version + 1)))
            for one in chosen
        ]
        if documents:
            await FoldStore(database, collection).write(Writes(inserts=documents))
        return chosen

    return fill


@pytest.mark.parametrize("missing", [[], [0], [COUNT - 1], [9, 10, 11], range(12), range(11, COUNT), ALL], ids=str)
async def test_what_the_new_one_does_not_have_is_found(chunk: None, database: Database, fill: Any, missing: Any):
    ids = await fill(OLD, ALL)
    await fill(NEW, [place for place in ALL if place not in missing])

    assert await StoredDocuments(database).behind(READ_MODEL, OLD, NEW) == {ids[place]: 2 for place in missing}


@pytest.mark.parametrize("there", [[0], [COUNT - 1], [4, 17], range(0, COUNT, 2)], ids=str)
async def test_what_only_the_new_one_has_disturbs_nothing(chunk: None, database: Database, fill: Any, there: Any):
    await fill(OLD, there)
    await fill(NEW, ALL)

    assert await StoredDocuments(database).behind(READ_MODEL, OLD, NEW) == {}


async def test_an_older_version_is_behind_and_a_newer_one_is_not(chunk: None, database: Database, fill: Any):
    ids = await fill(OLD, ALL)
    await fill(NEW, [5], 1)
    await fill(NEW, [6], 3)
    await fill(NEW, [place for place in ALL if place not in (5, 6)])

    assert await StoredDocuments(database).behind(READ_MODEL, OLD, NEW) == {ids[5]: 2}
