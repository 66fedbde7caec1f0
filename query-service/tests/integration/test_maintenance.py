"""What waits in one read model is healed and counted, whatever becomes of the others."""

from typing import Any

import pytest
from query_support.fixtures import Samples

from notes_chassis.health import Health
from notes_query.errors import BadDeploy, StoreUnavailable
from notes_query.mongo.database import Database
from notes_query.monitoring.maintenance import Maintenance
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.project_events import MAX_BUGS
from notes_query.projections import note
from notes_query.repairing.dead_letter_store import DeadLetters
from tests.harness.metrics import shown


async def nothing() -> None:
    pass


def failing(*_: Any) -> Any:
    raise ZeroDivisionError


async def test_a_read_model_whose_waiting_events_all_fail_keeps_no_other_from_healing(
    samples: Samples, database: Database
):
    notes = [samples.id(str(number)) for number in range(MAX_BUGS + 1)]
    dead_letters, folds = DeadLetters(database), []
    for name, evolve in (("search", failing), ("notes", note.evolve)):
        store = FoldStore(database, f"{name}_v2_1")
        documents = [samples.document(samples.created(id_)) for id_ in notes]
        waiting = [samples.event(samples.updated(id_, 2)) for id_ in notes]
        await store.write(Writes(inserts=documents, parks=waiting))
        folds.append(FoldReadModel(name, evolve, store, dead_letters, lambda: samples.start))

    with pytest.raises(BadDeploy):
        await Maintenance(Health(), nothing, nothing, lambda: folds).heal()

    assert await database["notes_v2_1"].count_documents({"version": 2}) == len(notes)
    for fold in folds:
        assert shown("notes_query_parked_events", read_model=fold.name) == len(notes)


async def test_where_one_build_cannot_be_counted_the_gauge_stays_as_it_was(
    samples: Samples, database: Database, monkeypatch: pytest.MonkeyPatch
):
    folds = []
    for collection in ("notes_v2_1", "notes_v2_3"):
        store = FoldStore(database, collection)
        folds.append(FoldReadModel("notes", note.evolve, store, DeadLetters(database), lambda: samples.start))
    await folds[0].store.write(Writes(parks=[samples.event(samples.updated(version=2))]))
    maintenance = Maintenance(Health(), nothing, nothing, lambda: folds)
    await maintenance.heal()
    assert shown("notes_query_parked_events", read_model="notes") == 1

    async def too_slow() -> tuple[int, int]:
        raise StoreUnavailable("MongoDB: no answer")

    monkeypatch.setattr(folds[0].store, "count_parked", too_slow)
    with pytest.raises(StoreUnavailable):
        await maintenance.heal()
    assert shown("notes_query_parked_events", read_model="notes") == 1
