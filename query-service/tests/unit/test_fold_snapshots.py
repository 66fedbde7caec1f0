"""A snapshot repeats the present state: what it does to a document, and to events that wait."""

from typing import Any

import pytest
from query_support.fixtures import Samples

from notes_contracts import NoteSnapshotted, format_time
from notes_query.projecting import fold_batch as module
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.pending import Pending
from notes_query.projections.note import evolve


def fold_batch(documents: Any, waiting: Any, events: Any) -> Writes:
    pending = {note: Pending(len(its), min(its), max(its), {}) for note, its in waiting.items()}
    return module.fold_batch(documents, pending, events, evolve)


def snapshot(samples: Samples, version: int, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "title": "As it is",
        "body": "of the snapshot",
        "tags": ("three",),
        "author": "someone else",
        "status": "active",
        "created_at": format_time(samples.at(1)),
        "updated_at": format_time(samples.at(version)),
        "occurred_at": format_time(samples.at(version)),
    }
    data = NoteSnapshotted(note_id=samples.note, version=version, **(fields | changes))
    return samples.event(data, name=f"snapshot:{version}")


def update(samples: Samples, version: int, name: str | None = None) -> Any:
    return samples.event(samples.updated(version=version), name=name)


def at(samples: Samples, version: int) -> dict[str, Any]:
    events = [samples.created(), *(samples.updated(version=number) for number in range(2, version + 1))]
    return {samples.note: samples.document(*events)}


def test_one_above_the_document_is_taken_whole(samples: Samples):
    writes = fold_batch(at(samples, 2), {}, [snapshot(samples, 7, status="archived")])

    (document,) = writes.replaces
    assert (document["version"], document["status"], document["title"]) == (7, "archived", "As it is")
    assert (document["body"], document["preview"], document["word_count"]) == (
        "of the snapshot",
        "of the snapshot",
        3,
    )
    assert (document["tags"], document["author"], document["parked"]) == (["three"], "someone else", False)
    assert (document["created_at"], document["updated_at"]) == (samples.at(1), samples.at(7))


def test_one_of_an_unknown_note_makes_it(samples: Samples):
    writes = fold_batch({}, {}, [snapshot(samples, 4)])

    assert [document["version"] for document in writes.inserts] == [4]


@pytest.mark.parametrize("version", [1, 3])
def test_one_at_or_below_the_document_is_ignored(samples: Samples, version: int):
    writes = fold_batch(at(samples, 3), {}, [snapshot(samples, version)])

    assert writes.counts.ignored == 1
    assert not any((writes.replaces, writes.inserts, writes.forks, writes.parks))


def test_events_that_wait_at_or_below_it_are_dropped_and_those_above_go_on(samples: Samples):
    waiting = {samples.note: {version: update(samples, version) for version in (4, 6, 7, 9)}}

    writes = fold_batch(at(samples, 2), waiting, [snapshot(samples, 6)])

    (document,) = writes.replaces
    assert (document["version"], document["body"], document["parked"]) == (6, "of the snapshot", True)
    assert (writes.unparks, writes.ready) == ([(samples.note, 6)], {samples.note: 6})


def test_the_next_event_follows_the_jump(samples: Samples):
    writes = fold_batch(at(samples, 1), {}, [snapshot(samples, 5), update(samples, 6)])

    (document,) = writes.replaces
    assert (document["version"], document["body"], document["title"]) == (6, "body 6", "As it is")
    assert document["event_id"] == update(samples, 6).id


def test_the_event_that_it_stands_for_comes_late_and_is_no_fork(samples: Samples):
    (document,) = fold_batch(at(samples, 1), {}, [snapshot(samples, 5)]).replaces

    writes = fold_batch({samples.note: document}, {}, [update(samples, 5)])

    assert (writes.counts.forked, writes.counts.ignored) == (0, 1)


def test_one_of_a_deleted_note_leaves_nothing_to_read(samples: Samples):
    gone = {"title": "", "body": "", "tags": (), "author": None, "status": "deleted"}

    (document,) = fold_batch(at(samples, 2), {}, [snapshot(samples, 3, **gone)]).replaces

    assert (document["status"], document["title"], document["body"], document["preview"]) == ("deleted", "", "", "")
    assert (document["tags"], document["author"], document["word_count"]) == ([], None, 0)


def test_the_given_document_is_left_as_it_was(samples: Samples):
    before = at(samples, 2)

    fold_batch(before, {}, [snapshot(samples, 5)])

    assert before == at(samples, 2)
