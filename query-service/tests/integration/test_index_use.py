"""Every query finds what it wants by an index: the stages say how, the counts say that it stays that way."""

from datetime import timedelta
from typing import Any

import pytest

from notes_query.adapters.mongo.notes import MongoNoteStore
from notes_query.adapters.mongo.reader import page_query
from notes_query.application.cursor import Position
from notes_query.application.fold_batch import Writes

NOTES = 2000


def stages(plan: dict[str, Any]) -> set[str]:
    inner = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return {plan["stage"]}.union(*map(stages, inner))


@pytest.fixture
async def notes(database: Any, samples: Any) -> Any:
    documents = [
        samples.document(samples.created(samples.id(f"{number}")))
        | {"created_at": samples.start + timedelta(seconds=number // 2), "status": ("active", "archived")[number % 2]}
        for number in range(NOTES)
    ]
    await MongoNoteStore(database).write(Writes(inserts=documents))
    return documents


@pytest.mark.parametrize("statuses", [("active",), ("archived",), ("active", "archived")])
@pytest.mark.parametrize("depth", [None, 500, 990])
async def test_a_page_costs_the_same_at_any_depth(database: Any, notes: Any, samples: Any, statuses: Any, depth: Any):
    after = None if depth is None else Position(samples.start + timedelta(seconds=depth), samples.id("middle"))

    found = await page_query(database["notes"], statuses, after, 50).explain()

    assert "COLLSCAN" not in stages(found["queryPlanner"]["winningPlan"])
    assert "SORT" not in stages(found["queryPlanner"]["winningPlan"])
    assert found["executionStats"]["totalKeysExamined"] <= 60
    assert found["executionStats"]["totalDocsExamined"] <= 60


async def plan_of(database: Any, collection: str, query: dict[str, Any]) -> set[str]:
    found = await database[collection].find(query).explain()
    return stages(found["queryPlanner"]["winningPlan"])


async def test_every_other_query_has_its_index(database: Any, notes: Any, samples: Any):
    now = samples.start
    for collection, query in (
        ("notes", {"_id": samples.note}),
        ("notes", {"_id": {"$in": [samples.note, samples.other]}}),
        ("notes", {"_id": samples.note, "version": {"$lt": 5}}),
        ("outcomes", {"_id": samples.note}),
        ("parked_events", {"kind": "gap", "note_id": {"$in": [samples.note, samples.other]}}),
        ("parked_events", {"kind": "gap"}),
        ("parked_events", {"_id": {"$in": ["a:1"]}}),
        ("dead_letters", {"sent_at": None, "claimed_until": {"$lte": now}}),
    ):
        assert "COLLSCAN" not in await plan_of(database, collection, query), (collection, query)


async def test_outcomes_and_sent_dead_letters_expire_after_thirty_days(database: Any):
    for collection, field in (("outcomes", "at"), ("dead_letters", "sent_at")):
        indexes = await database[collection].index_information()
        (expiry,) = [index for index in indexes.values() if "expireAfterSeconds" in index]
        assert expiry["key"] == [(field, 1)]
        assert expiry["expireAfterSeconds"] == 30 * 24 * 60 * 60
