"""Every query finds what it wants by an index: the stages say how, the counts say that it stays that way."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from query_support.fixtures import Database, Samples

from notes_chassis.dead_letters import STATES, After, DeadLetterFilter
from notes_chassis.dead_letters import Position as DeadLetterPosition
from notes_query.composition.indexes import create_indexes, need_indexes
from notes_query.errors import StoreUnavailable
from notes_query.mongo.driver import last_entries, last_entries_pipeline
from notes_query.projecting.enter_read_model import EntryStore
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_store import FoldStore
from notes_query.projections.history import entry
from notes_query.projections.search import evolve as evolve_search
from notes_query.reads.count_tags import COUNTS
from notes_query.reads.cursor import PageEnd, Rank
from notes_query.reads.list_notes import Chosen, page_query
from notes_query.reads.read_history import entries_query
from notes_query.reads.search_notes import ALL, ranks_pipeline
from notes_query.repairing.dead_letter_query import page_of

NOTES = 2000


def stages(plan: dict[str, Any]) -> set[str]:
    inner = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return {plan["stage"]}.union(*map(stages, inner))


@pytest.fixture
async def notes(database: Database, samples: Samples) -> Any:
    documents = []
    for number in range(NOTES):
        # A tenth has the tag, a tenth is of the author, a hundredth both: nobody pays for what others have.
        tags = ("rare", "y") if number // 20 % 10 == 0 else ("x", "y")
        author = "ann" if number // 2 % 10 == 0 else "bob"
        document = samples.document(samples.created(samples.id(f"{number}"), tags=tags, author=author))
        at = samples.start + timedelta(seconds=number // 2)
        documents.append(document | {"created_at": at, "status": ("active", "archived")[number % 2]})
    await FoldStore(database, "notes_v2_1").write(Writes(inserts=documents))
    return documents


STATUSES = (("active",), ("archived",), ("active", "archived"))
CHOSEN = [Chosen(*each) for each in product(STATUSES, (None, "rare"), (None, "ann"))]


async def test_a_page_costs_the_same_at_any_depth(database: Database, notes: Any, samples: Samples):
    for chosen, depth in product(CHOSEN, (None, 500, 990)):
        after = None if depth is None else PageEnd(samples.start + timedelta(seconds=depth), samples.id("middle"))

        found = await page_query(database["notes_v2_1"], chosen, after, 50).explain()

        assert not {"COLLSCAN", "SORT"} & stages(found["queryPlanner"]["winningPlan"]), (chosen, depth)
        # One more for each status, and those that were created at the moment at which the page before ended.
        most = found["executionStats"]["nReturned"] + 10
        assert found["executionStats"]["totalKeysExamined"] <= most, (chosen, depth)
        assert found["executionStats"]["totalDocsExamined"] <= most, (chosen, depth)


async def explained(database: Database, collection: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    command = {"aggregate": collection, "pipeline": pipeline, "cursor": {}}
    explain = {"explain": command, "verbosity": "executionStats"}
    found: dict[str, Any] = await database[collection].database.command(explain)
    return found


def executed(found: Any) -> list[dict[str, Any]]:
    """Give every executionStats in an explanation."""
    if isinstance(found, dict):
        here = [found["executionStats"]] if "executionStats" in found else []
        return here + [item for value in found.values() for item in executed(value)]
    return [item for value in found for item in executed(value)] if isinstance(found, list) else []


async def test_the_last_version_of_a_note_costs_the_same_however_many_there_are(database: Database, samples: Samples):
    ids = [samples.id(f"{number}") for number in range(3)]
    events = [samples.event(samples.created(id_, version=version)) for id_ in ids for version in range(1, 301)]
    await database["history_v1_1"].insert_many([entry(event) for event in events])

    for wanted in (ids[:1], ids):
        found = await explained(database, "history_v1_1", last_entries_pipeline(wanted))

        (ran,) = [one for one in executed(found) if one.get("totalKeysExamined")]
        assert ran["totalKeysExamined"] <= 4 * len(wanted), ran
        assert ran["totalDocsExamined"] == 0
    assert await last_entries(database["history_v1_1"], [*ids, samples.note]) == {
        id_: {"_id": id_, "version": 300} for id_ in ids
    }


async def test_tags_are_counted_without_reading_a_note(database: Database, notes: Any):
    found = await explained(database, "notes_v2_1", COUNTS)

    (stats,) = executed(found)
    assert stats["totalDocsExamined"] == 0
    assert stats["totalKeysExamined"] <= sum(note["status"] == "active" for note in notes) + 1
    assert "tag_counts" in str(found)


async def test_a_search_reads_what_matches_and_nothing_else(database: Database, samples: Samples):
    messages = [samples.created(samples.id(f"{n}"), body="bread" if n % 10 == 0 else "other") for n in range(200)]
    documents = [evolve_search(None, samples.event(message)) for message in messages]
    await FoldStore(database, "search_v2_1").write(Writes(inserts=documents))

    for after in (None, Rank(0.9, samples.note)):
        (stats,) = executed(await explained(database, "search_v2_1", ranks_pipeline(["bread"], ALL, after, 5)))
        assert stats["totalDocsExamined"] <= 20


async def test_a_page_of_a_history_reads_that_page(database: Database, samples: Samples):
    messages = [
        samples.updated(note, version=version) for note in (samples.note, samples.other) for version in range(1, 100)
    ]
    await EntryStore(database, "history_v1_1").add([entry(samples.event(message)) for message in messages])

    found = await entries_query(database["history_v1_1"], samples.note, 40, 99, 10).explain()

    assert "SORT" not in stages(found["queryPlanner"]["winningPlan"])
    assert found["executionStats"]["totalKeysExamined"] == 10
    assert found["executionStats"]["totalDocsExamined"] == 10


@pytest.fixture
async def dead_letters(database: Database, samples: Samples) -> Any:
    """Of each state in turn, three of a time; one in ten is of one type and reason, and of one note."""
    documents = []
    for number in range(NOTES):
        rare = number // 3 % 10 == 0
        place = {"topic": "events", "partition": number % 3, "offset": number}
        facts = {"code": "undecodable", "type": "rare", "note_id": samples.note} if rare else {"code": "internal"}
        at = {"time": samples.start + timedelta(seconds=number // 9), "state": STATES[number % 3]}
        documents.append({"_id": "events:{partition}:{offset}".format(**place), **place, **facts, **at})
    await database["dead_letters"].insert_many(documents)
    return database["dead_letters"]


async def test_a_page_of_dead_letters_reads_that_page_at_any_depth(dead_letters: Any, samples: Samples):
    """Their values can be large: what is read to be sorted, or to be passed over, may be gigabytes."""
    chosen = [{}, {"reason": "undecodable"}, {"type": "rare"}, {"subject": samples.note}]
    for facts, state, depth in product(chosen, (*STATES, None), (None, 900, 1800)):
        after = None
        if depth is not None:
            at = samples.start + timedelta(seconds=depth // 9)
            after = After(at, DeadLetterPosition("events", depth % 3, depth))

        found = await page_of(dead_letters, DeadLetterFilter(state=state, after=after, **facts), 5).explain()

        plan, stats = found["queryPlanner"]["winningPlan"], found["executionStats"]
        assert not {"COLLSCAN", "SORT"} & stages(plan), (facts, state, depth)
        assert stats["nReturned"] == 5, (facts, state, depth)
        assert stats["totalDocsExamined"] <= 5, (facts, state, depth, stats)
        assert stats["totalKeysExamined"] <= 5 * 3 * 10 + 30, (facts, state, depth)


async def test_dead_letters_that_are_named_are_read_alone(dead_letters: Any):
    ids = tuple(DeadLetterPosition("events", number % 3, number) for number in (7, 700, 1700))

    found = await page_of(dead_letters, DeadLetterFilter(ids=ids, state=None), 10).explain()

    assert found["executionStats"]["nReturned"] == 3
    assert found["executionStats"]["totalDocsExamined"] <= 3


async def test_indexes_that_the_release_before_had_are_dropped_by_whoever_starts_also_twice(database: Database):
    for name, fields in (("oldest_first", ("state", "time", "topic", "partition")), ("by_note", ("note_id", "state"))):
        await database["dead_letters"].create_index([(field, 1) for field in fields], name=name)

    for _ in range(2):
        await create_indexes(database)
        there = await database["dead_letters"].index_information()
        assert sorted(there) == ["_id_", "expiry", "in_order", "of_note_in_order", "unsent"]


async def test_an_index_that_cannot_be_made_holds_up_no_other(database: Database) -> None:
    progress, others = database["progress"], ("outcomes", "dead_letters", "awaited_versions")
    await progress.drop_indexes()
    await progress.create_index([("something_else", 1)], name="by_group")
    for name in others:
        await database[name].drop_indexes()

    assert not await create_indexes(database)
    for name in others:
        assert len(await database[name].index_information()) > 1, name
    with pytest.raises(StoreUnavailable):
        await need_indexes(database)

    await progress.drop_indexes()
    await need_indexes(database)


async def plan_of(database: Database, collection: str, query: dict[str, Any]) -> set[str]:
    found = await database[collection].find(query).explain()
    return stages(found["queryPlanner"]["winningPlan"])


async def test_every_other_query_has_its_index(database: Database, notes: Any, samples: Samples):
    now = samples.start
    for collection, query in (
        ("notes_v2_1", {"_id": samples.note}),
        ("notes_v2_1", {"_id": {"$in": [samples.note, samples.other]}}),
        ("outcomes", {"_id": samples.note}),
        ("notes_v2_1_parked", {"kind": "gap", "note_id": {"$in": [samples.note, samples.other]}}),
        ("notes_v2_1_parked", {"kind": "gap", "note_id": {"$gt": samples.note}}),
        ("notes_v2_1_parked", {"kind": {"$in": ["fork", "dropped"]}, "note_id": {"$in": [samples.note]}}),
        ("notes_v2_1_parked", {"_id": {"$in": ["a:1"]}}),
        ("dead_letters", {"sent_at": None, "claimed_until": {"$lte": now}}),
    ):
        assert "COLLSCAN" not in await plan_of(database, collection, query), (collection, query)


async def test_a_replace_is_found_by_its_id_alone_and_not_planned(database: Database, samples: Samples):
    store = FoldStore(database, "notes_v2_1")
    await store.write(Writes(inserts=[samples.document(samples.created())]))
    await database["notes_v2_1"].database.command("profile", 2)

    await store.write(Writes(replaces=[samples.document(samples.created(), samples.updated())]))

    (seen,) = await database["system.profile"].find({"op": "update"}).to_list(None)
    assert (seen["planSummary"], seen["nModified"]) == ("IDHACK", 1)


async def test_outcomes_and_sent_dead_letters_expire_after_thirty_days(database: Database):
    for collection, field in (("outcomes", "at"), ("dead_letters", "sent_at")):
        indexes = await database[collection].index_information()
        (expiry,) = [index for index in indexes.values() if "expireAfterSeconds" in index]
        assert expiry["key"] == [(field, 1)]
        assert expiry["expireAfterSeconds"] == 30 * 24 * 60 * 60
