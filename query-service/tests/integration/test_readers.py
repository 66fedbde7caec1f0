"""The twin and MongoDB do the same."""

from datetime import timedelta
from typing import Any

from notes_query.application.cursor import Position
from notes_query.application.fold_batch import Writes


async def test_a_view_is_the_document_without_its_body(samples: Any, stores: Any):
    document = samples.document(samples.created())
    await stores.notes.write(Writes(inserts=[document]))

    view = await stores.reader.view(samples.note)

    assert view == {name: value for name, value in document.items() if name not in ("body", "event_id")}
    assert await stores.reader.view(samples.other) is None


async def test_pages_go_down_by_creation_and_id_through_the_chosen_statuses(samples: Any, stores: Any):
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
        while page := await stores.reader.page(statuses, after, 7):
            found += [(note["created_at"], note["_id"]) for note in page]
            after = Position(*found[-1])
        assert found == expected
    assert set(page[0] if page else (await stores.reader.page(("active",), None, 1))[0]) == {
        "_id",
        "title",
        "tags",
        "status",
        "version",
        "created_at",
        "updated_at",
    }


async def test_an_outcome_is_kept_once(samples: Any, stores: Any):
    first = {
        "_id": samples.id("command"),
        "note_id": None,
        "status": "failed",
        "version": None,
        "error": {"code": "internal", "message": "é"},
        "at": samples.start,
        "digest": None,
    }
    fresh = first | {"_id": samples.id("another")}

    await stores.outcomes.add([dict(first)])
    await stores.outcomes.add([first | {"status": "accepted"}, fresh])

    assert await stores.outcomes.get(samples.id("command")) == first
    assert await stores.outcomes.get(samples.id("another")) == fresh
    assert await stores.outcomes.get(samples.id("?")) is None
