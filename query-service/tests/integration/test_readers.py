"""The twin and MongoDB do the same."""

from collections import Counter
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from query_support.fixed_serving import FixedServing
from query_support.fixtures import Database, Samples

from notes_query.projecting.fold_batch import Writes
from notes_query.reads.count_tags import TAGS_MAX
from notes_query.reads.cursor import PageEnd
from notes_query.reads.list_notes import Chosen
from notes_query.reads.served import NoteReader
from notes_query.repairing.missing_versions import MissingVersions


async def test_a_view_is_the_document_without_its_body(samples: Samples, stores: Any):
    document = samples.document(samples.created())
    await stores.notes.write(Writes(inserts=[document]))

    view = await stores.reader.view(samples.note)

    assert view == {
        name: value
        for name, value in document.items()
        if name not in ("author_key", "body", "event_id", "ids", "snapshot", "tag_line")
    }
    assert await stores.reader.view(samples.other) is None


async def test_a_body_comes_with_what_says_whether_it_may_be_seen(samples: Samples, stores: Any):
    await stores.notes.write(Writes(inserts=[samples.document(samples.created())]))

    assert await stores.reader.body(samples.note) == {
        "_id": samples.note,
        "version": 1,
        "status": "active",
        "parked": False,
        "body": "the body",
    }
    assert await stores.reader.body(samples.other) is None


async def test_pages_go_down_by_creation_and_id_through_the_chosen_statuses(samples: Samples, stores: Any):
    documents = []
    for number in range(40):
        at = samples.start + timedelta(milliseconds=number // 3)
        document = samples.document(samples.created(samples.id(f"{number}")))
        status = ("active", "active", "archived", "deleted", "unknown")[number % 5]
        documents.append(document | {"created_at": at, "status": status})
    await stores.notes.write(Writes(inserts=documents))

    for statuses in (("active",), ("archived",), ("active", "archived")):
        expected = sorted(
            ((note["created_at"], note["_id"]) for note in documents if note["status"] in statuses), reverse=True
        )
        found: list[Any] = []
        after = None
        while page := await stores.pages.page(Chosen(statuses), after, 7):
            found += [(note["created_at"], note["_id"]) for note in page]
            after = PageEnd(*found[-1])
        assert found == expected
    assert set((await stores.pages.page(Chosen(("active",)), None, 1))[0]) == {
        "_id",
        "title",
        "tags",
        "status",
        "version",
        "created_at",
        "updated_at",
    }


AUTHORS = (None, "ann", "bob", "b.b", "$ne")
TAGS = ((), ("x",), ("x", "y"), ("y", "x"), ("xx",), ("x-1", "y"))
STATUSES = ("active", "active", "archived", "deleted")


@pytest.fixture
async def mixed(samples: Samples, stores: Any) -> Any:
    documents = []
    for number in range(len(AUTHORS) * len(TAGS) * len(STATUSES)):
        author, tags = AUTHORS[number % 5], TAGS[number // 5 % 6]
        document = samples.document(samples.created(samples.id(f"{number}"), author=author, tags=tags))
        at = samples.start + timedelta(milliseconds=number * 7919 % 40)
        documents.append(document | {"created_at": at, "status": STATUSES[number // 30]})
    await stores.notes.write(Writes(inserts=documents))
    return documents


CHOSEN = [
    Chosen(*each)
    for each in product(
        (("active",), ("active", "archived")), (None, "x", "y", "zz"), (None, "bob", "b.b", "$ne", "nobody")
    )
]


async def test_filters_combine_in_the_same_order(stores: Any, mixed: Any):
    for chosen in CHOSEN:
        expected = sorted(
            (
                (note["created_at"], note["_id"])
                for note in mixed
                if note["status"] in chosen.statuses
                and chosen.author in (None, note["author"])
                and (chosen.tag is None or chosen.tag in note["tags"])
            ),
            reverse=True,
        )

        found: list[Any] = []
        while page := await stores.pages.page(chosen, PageEnd(*found[-1]) if found else None, 7):
            found += [(note["created_at"], note["_id"]) for note in page]

        assert found == expected, chosen


async def test_notes_by_id_come_in_the_order_of_their_ids_as_far_as_they_are_chosen(stores: Any, mixed: Any):
    by_id = {note["_id"]: note for note in mixed}
    ids = [*list(by_id)[::-3], "unknown", next(iter(by_id))]
    for chosen in CHOSEN:
        found = await stores.pages.some(ids, chosen)
        assert [note["_id"] for note in found] == [
            id_
            for id_ in dict.fromkeys(ids)
            if id_ in by_id
            and by_id[id_]["status"] in chosen.statuses
            and chosen.author in (None, by_id[id_]["author"])
            and (chosen.tag is None or chosen.tag in by_id[id_]["tags"])
        ], chosen


async def test_a_note_whose_creation_is_unknown_has_no_place_in_a_list(samples: Samples, stores: Any):
    document = samples.document(samples.created()) | {"created_at": None}
    await stores.notes.write(Writes(inserts=[document]))

    assert await stores.pages.page(Chosen(("active",)), None, 10) == []


async def test_tags_of_active_notes_are_counted(stores: Any, mixed: Any):
    counts = Counter(tag for note in mixed if note["status"] == "active" for tag in note["tags"])
    expected = sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    assert await stores.count_tags() == [{"tag": tag, "count": count} for tag, count in expected]


async def test_of_more_tags_than_fit_the_most_frequent_are_told(samples: Samples, stores: Any):
    tags = [f"t{number}" for number in range(TAGS_MAX + 1)]
    one = samples.document(samples.created())
    documents = [one | {"_id": str(uuid4()), "tags": [tag], "tag_line": tag} for tag in [*tags, tags[0]]]
    await stores.notes.write(Writes(inserts=documents))
    assert ((counted := await stores.count_tags())[0], len(counted)) == ({"tag": tags[0], "count": 2}, TAGS_MAX)


async def test_a_version_that_is_missing_is_known_without_a_note(samples: Samples, stores: Any):
    waiting = samples.event(samples.updated())

    await stores.notes.write(Writes(parks=[waiting]))

    assert await stores.reader.has_waiting(samples.note)
    assert not await stores.reader.has_waiting(samples.other)


async def test_a_last_version_that_is_missing_is_known_without_a_note(samples: Samples, database: Database):
    await MissingVersions(database).add({samples.note: 1}, samples.start)
    reader = NoteReader(database, FixedServing({"notes": "notes_v2_1"}))

    assert await reader.has_waiting(samples.note)
    assert not await reader.has_waiting(samples.other)


async def test_an_outcome_is_kept_once(samples: Samples, stores: Any):
    first = {
        "_id": samples.id("command"),
        "note_id": None,
        "status": "failed",
        "version": None,
        "error": {"code": "internal", "message": "é"},
        "at": samples.recent,
        "digest": None,
    }
    fresh = first | {"_id": samples.id("another")}

    await stores.outcomes.add([dict(first)])
    await stores.outcomes.add([first | {"status": "accepted"}, fresh])

    for ids in (["command"], ["another"], ["?"], ["command", "another", "?"]):
        wanted = [samples.id(id_) for id_ in ids]
        there = {one["_id"]: one for one in (first, fresh) if one["_id"] in wanted}
        assert await stores.outcomes.many(wanted) == there
