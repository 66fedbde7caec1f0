from typing import Any

from query_support.fixtures import Samples

from notes_query.projecting import fold_batch as module
from notes_query.projecting.fold_batch import Mark, Writes
from notes_query.projecting.pending import Pending
from notes_query.projecting.project_events import decode_event
from notes_query.projections.note import evolve


def fold_batch(documents: Any, waiting: Any, events: Any) -> Writes:
    """Fold, given the events that wait in the store by note and version."""
    pending = {
        note: Pending(len(its), min(its), max(its), {at: event.id for at, event in its.items()})
        for note, its in waiting.items()
    }
    return module.fold_batch(documents, pending, events, evolve)


def versions(samples: Samples, *wanted: int) -> list[Any]:
    return [
        samples.event(samples.created() if version == 1 else samples.updated(version=version)) for version in wanted
    ]


def stored(samples: Samples, *wanted: int) -> dict[str, dict[int, Any]]:
    return {samples.note: {event.version: event for event in versions(samples, *wanted)}}


def at(samples: Samples, version: int, **changes: Any) -> dict[str, Any]:
    events = [samples.created(), *(samples.updated(version=number) for number in range(2, version + 1))]
    return {samples.note: {**samples.document(*events), **changes}}


def test_a_new_note_is_one_insert_of_its_last_version(samples: Samples):
    writes = fold_batch({}, {}, versions(samples, 1, 2, 3))

    assert [document["version"] for document in writes.inserts] == [3]
    assert not writes.replaces
    assert not writes.parks
    assert not writes.unparks
    assert not writes.marks
    assert not writes.forks
    assert writes.counts.applied == 3


def test_the_next_version_is_one_replace(samples: Samples):
    writes = fold_batch(at(samples, 1), {}, versions(samples, 2, 3))

    assert [document["version"] for document in writes.replaces] == [3]
    assert not writes.inserts


def test_a_duplicate_and_a_stale_event_change_nothing(samples: Samples):
    writes = fold_batch(at(samples, 3), {}, versions(samples, 3, 1, 2, 3))

    assert writes.counts.ignored == 4
    assert not writes.inserts
    assert not writes.replaces
    assert not writes.parks
    assert not writes.forks
    assert not writes.marks


def test_the_next_one_in_order_after_a_duplicate_is_applied(samples: Samples):
    writes = fold_batch(at(samples, 2), {}, versions(samples, 2, 3))

    assert [document["version"] for document in writes.replaces] == [3]
    assert (writes.counts.ignored, writes.counts.applied) == (1, 1)


def test_a_gap_parks_and_marks_that_note_alone(samples: Samples):
    other = samples.event(samples.created(samples.other))
    writes = fold_batch(at(samples, 1), {}, [*versions(samples, 3), other])

    assert [(event.note_id, event.version) for event in writes.parks] == [(samples.note, 3)]
    assert writes.marks == [Mark(samples.note, 1, parked=True)]
    assert [document["_id"] for document in writes.inserts] == [samples.other]


def test_a_gap_before_the_first_event_parks_without_a_document(samples: Samples):
    writes = fold_batch({}, {}, versions(samples, 2))

    assert [event.version for event in writes.parks] == [2]
    assert not writes.inserts
    assert not writes.marks


def test_a_gap_closed_in_the_same_batch_parks_nothing(samples: Samples):
    writes = fold_batch({}, {}, versions(samples, 1, 4, 3, 2))

    assert [(document["version"], document["parked"]) for document in writes.inserts] == [(4, False)]
    assert not writes.parks
    assert not writes.unparks
    assert writes.counts.healed == 2


def test_with_the_missing_version_what_is_stored_is_ready_and_then_applied_up_to_the_next_gap(samples: Samples):
    before = fold_batch(at(samples, 1, parked=True), stored(samples, 3, 4, 6), versions(samples, 2))
    assert [(document["version"], document["parked"]) for document in before.replaces] == [(2, True)]
    assert (before.unparks, before.ready) == ([], {samples.note: 2})
    writes = fold_batch(at(samples, 2, parked=True), stored(samples, 3, 4, 6), versions(samples, 3, 4))
    assert [(document["version"], document["parked"]) for document in writes.replaces] == [(4, True)]
    assert writes.unparks == [(samples.note, 4)]
    assert not writes.parks


def test_what_was_left_behind_by_a_crash_is_cleared_away(samples: Samples):
    writes = fold_batch(at(samples, 4, parked=True), stored(samples, 3, 4), ())

    assert writes.unparks == [(samples.note, 4)]
    assert writes.marks == [Mark(samples.note, 4, parked=False)]


def test_an_event_that_waits_already_is_no_second_one(samples: Samples):
    writes = fold_batch(at(samples, 1, parked=True), stored(samples, 3), versions(samples, 3))

    assert not writes.parks
    assert not writes.forks
    assert not writes.marks
    assert writes.counts.ignored == 1


def test_the_same_version_with_another_event_id_is_a_fork_and_changes_nothing(samples: Samples):
    fork = samples.event(samples.updated(version=2, body="forked"), name="another")

    for documents, waiting, events in (
        (at(samples, 2), {}, [fork]),
        (at(samples, 1), {}, [*versions(samples, 2), fork]),
        ({}, stored(samples, 2), [fork]),
        ({}, {}, [*versions(samples, 2), fork]),
    ):
        writes = fold_batch(documents, waiting, events)
        assert [one.event for one in writes.forks] == [fork]
        assert writes.counts.forked == 1
        assert "forked" not in {document["body"] for document in (*writes.inserts, *writes.replaces)}


def test_what_cannot_be_told_is_no_fork(samples: Samples):
    known = at(samples, 2, event_id=None, ids=b"")

    assert fold_batch(known, {}, versions(samples, 2)).counts.ignored == 1


def test_an_unknown_event_keeps_its_place_in_the_order(samples: Samples):
    writes = fold_batch(at(samples, 1), {}, [*versions(samples, 3), decode_event(samples.unknown(2))])

    assert [document["version"] for document in writes.replaces] == [3]


def test_beyond_the_limit_the_first_ones_and_the_last_one_wait(samples: Samples, monkeypatch: Any):
    monkeypatch.setattr(module, "MAX_WAITING", 3)

    writes = fold_batch(at(samples, 1), {}, versions(samples, 3, 4, 5, 6, 7))

    assert [event.version for event in writes.parks] == [3, 4, 7]
    assert writes.counts.overflowed == 2
    # Once the gap is closed the note still says that something is missing.
    healed = fold_batch(at(samples, 2, parked=True), stored(samples, 3, 4, 7), versions(samples, 3, 4))
    assert [(document["version"], document["parked"]) for document in healed.replaces] == [(4, True)]


def test_beyond_the_limit_a_stored_one_makes_room(samples: Samples, monkeypatch: Any):
    monkeypatch.setattr(module, "MAX_WAITING", 2)

    writes = fold_batch(at(samples, 1, parked=True), stored(samples, 3, 4), versions(samples, 9, 8))

    assert [event.version for event in writes.parks] == [9]
    assert writes.evicts == [(samples.note, 4)]
