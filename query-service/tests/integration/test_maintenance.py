"""What waits in one read model is healed and counted, whatever becomes of the others."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from notes_chassis.health import Health
from notes_query.errors import BadDeploy
from notes_query.monitoring.maintenance import Maintenance
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.project_events import MAX_BUGS
from notes_query.projections import note
from notes_query.repairing.dead_letter_store import DeadLetters


def failing(*_: Any) -> Any:
    raise ZeroDivisionError


async def test_a_read_model_whose_waiting_events_all_fail_keeps_no_other_from_healing(samples: Any, database: Any):
    notes = [samples.id(str(number)) for number in range(MAX_BUGS + 1)]
    letters, folds = DeadLetters(database), []
    for name, evolve in (("search", failing), ("notes", note.evolve)):
        store = FoldStore(database, f"{name}_v2_1")
        documents = [samples.document(samples.created(id_)) for id_ in notes]
        waiting = [samples.event(samples.updated(id_, 2)) for id_ in notes]
        await store.write(Writes(inserts=documents, parks=waiting))
        folds.append(FoldReadModel(name, evolve, store, letters, lambda: samples.start))

    async def nothing() -> None:
        pass

    with pytest.raises(BadDeploy):
        await Maintenance(Health(), nothing, nothing, lambda: folds).heal()

    assert await database["notes_v2_1"].count_documents({"version": 2}) == len(notes)
    for fold in folds:
        shown = REGISTRY.get_sample_value("notes_query_parked_events", {"read_model": fold.name})
        assert shown == len(notes)
