"""An event under a version that another event has made stops its note until a snapshot above it."""

from dataclasses import replace
from typing import Any

import pytest
from query_support.fixtures import Samples

from notes_contracts import snapshot_id
from notes_query.projecting import fold_batch as module
from notes_query.projecting.fold_batch import Mark, Writes
from notes_query.projecting.pending import Fork, Pending
from notes_query.projecting.project_events import decode_event
from notes_query.projecting.read_model_store import places
from notes_query.projections.folding import BLOCK
from notes_query.projections.note import evolve


def fold_batch(documents: Any, waiting: Any, events: Any, forks: Any = None) -> Writes:
    """Fold, given the events that wait in the store by note and version, and where forks of the note were found."""
    pending = {
        note: Pending(len(its), min(its), max(its), {at: event.id for at, event in its.items()})
        for note, its in waiting.items()
    }
    if forks is not None:
        (note,) = documents or pending
        pending[note] = replace(pending.get(note, Pending()), forks=forks)
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


def fork_of(samples: Samples, version: int, name: str = "another") -> Any:
    return samples.event(samples.updated(version=version, body="of another history"), name=f"{name} {version}")


def test_an_event_of_another_history_below_the_document_is_a_fork_and_nothing_after_it_is_folded(samples: Samples):
    for version in (1, 2, 4, 5):
        writes = fold_batch(at(samples, 5), {}, [fork_of(samples, version), *versions(samples, 6)])

        assert writes.forks == [Fork(fork_of(samples, version), 5)]
        assert (writes.replaces, [event.version for event in writes.parks]) == ([], [6])
        assert writes.marks == [Mark(samples.note, 5, parked=True)]


def test_while_a_fork_stops_a_note_all_that_comes_waits_and_repeats_change_nothing(samples: Samples):
    forks = {(4, fork_of(samples, 4).id): 5}
    repeats = [fork_of(samples, 4), *versions(samples, 1, 4, 5)]

    writes = fold_batch(at(samples, 5, parked=True), {}, [*repeats, *versions(samples, 6, 7)], forks)

    assert (writes.counts.ignored, writes.counts.forked, writes.counts.parked) == (4, 0, 2)
    assert not any((writes.replaces, writes.forks, writes.marks))
    assert fold_batch(at(samples, 5, parked=True), stored(samples, 6), (), forks).ready == {}


def test_a_snapshot_above_goes_on_from_there_and_the_fork_that_comes_again_stops_nothing(samples: Samples):
    forks = {(4, fork_of(samples, 4).id): 5}
    events = [samples.event(samples.snapshotted(version=6)), *versions(samples, 7), fork_of(samples, 4)]

    writes = fold_batch(at(samples, 5, parked=True), stored(samples, 6), events, forks)

    assert [(document["version"], document["parked"]) for document in writes.replaces] == [(7, False)]
    assert (writes.unparks, writes.counts.forked) == ([(samples.note, 7)], 0)
    below = fold_batch(at(samples, 5, parked=True), {}, [samples.event(samples.snapshotted(version=5))], forks)
    assert (below.counts.ignored, below.replaces) == (1, [])


def test_a_snapshot_below_the_fork_of_a_waiting_event_does_not_heal(samples: Samples):
    forks = {(9, fork_of(samples, 9).id): 5}

    writes = fold_batch(at(samples, 5), stored(samples, 9), [samples.event(samples.snapshotted(version=7))], forks)

    assert [(document["version"], document["parked"]) for document in writes.replaces] == [(7, True)]
    assert not writes.ready


def test_after_a_fork_was_kept_and_its_batch_was_not_all_before_it_is_still_folded(samples: Samples):
    forks = {(4, fork_of(samples, 4).id): 5}
    batch = [*versions(samples, 4, 5), fork_of(samples, 4), *versions(samples, 6)]

    writes = fold_batch(at(samples, 3), {}, batch, forks)

    assert [(document["version"], document["parked"]) for document in writes.replaces] == [(5, True)]
    assert [event.version for event in writes.parks] == [6]


def test_a_snapshot_is_no_fork_of_its_version_also_of_a_type_that_is_not_known(samples: Samples):
    named = {"ce_id": snapshot_id(samples.note, 2), "ce_type": "notes.event.note-snapshotted.v9"}
    newer = decode_event(samples.unknown(2, **named))

    assert fold_batch(at(samples, 3), {}, [newer]).counts.ignored == 1
    (document,) = fold_batch(at(samples, 1), {}, [newer]).replaces
    assert fold_batch({samples.note: document}, {}, versions(samples, 2)).counts.ignored == 1


def test_ids_that_a_document_sheds_still_tell_a_fork(samples: Samples):
    last = 3 * BLOCK + 5
    writes = fold_batch({}, {}, versions(samples, *range(1, last + 1)))
    (document,) = writes.inserts
    assert len(document["ids"]) == 16 * (BLOCK + 5)
    blocks = {(note, number): ids for note, number, ids in writes.blocks}
    assert sorted(blocks) == [(samples.note, 0), (samples.note, 1)]

    for version in (1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, last):
        events = [*versions(samples, version), fork_of(samples, version)]
        found = module.fold_batch({samples.note: document}, {}, events, evolve, blocks)
        assert (found.counts.ignored, found.counts.forked) == (1, 1)


def test_a_jump_over_many_versions_keeps_the_ids_before_it_and_not_its_length(samples: Samples):
    far = 10**10 + 3
    writes = fold_batch(at(samples, 70), {}, [samples.event(samples.snapshotted(version=far))])

    (document,) = writes.replaces
    assert len(document["ids"]) <= 16 * BLOCK
    blocks = {(note, number): ids for note, number, ids in writes.blocks}
    events = [*versions(samples, 70, 3), fork_of(samples, 70), fork_of(samples, 3), fork_of(samples, 80)]
    found = module.fold_batch({samples.note: document}, {}, events, evolve, blocks)
    assert (found.counts.ignored, found.counts.forked) == (3, 2)


@pytest.mark.parametrize(("before", "waits", "to"), [(5, (7, 8), 8), (0, (2, 3), 4), (60, (62, 70, 140, 199), 200)])
@pytest.mark.parametrize("together", [True, False])
def test_an_event_that_waited_is_known_after_a_snapshot_has_jumped_over_it(
    samples: Samples, before: int, waits: tuple[int, ...], to: int, *, together: bool
):
    documents = at(samples, before) if before else {}
    jump = samples.event(samples.snapshotted(version=to))
    waiting = {} if together else stored(samples, *waits)
    writes = fold_batch(documents, waiting, [*(versions(samples, *waits) if together else ()), jump])

    (document,) = [*writes.inserts, *writes.replaces]
    blocks = {(note, number): ids for note, number, ids in writes.blocks}
    held = [1, before] if before else []
    repeats, forks = versions(samples, *held, *waits), [fork_of(samples, version) for version in (*held, *waits)]
    found = module.fold_batch({samples.note: document}, {}, [*repeats, *forks], evolve, blocks)
    assert (found.counts.ignored, found.counts.forked) == (len(repeats), len(forks))


def test_a_waiting_snapshot_of_a_type_that_is_not_known_says_nothing_of_its_versions_event(samples: Samples):
    named = {"ce_id": snapshot_id(samples.note, 4), "ce_type": "notes.event.note-snapshotted.v9"}
    unknown = decode_event(samples.unknown(4, **named))
    jump = samples.event(samples.snapshotted(version=5))

    (document,) = fold_batch(at(samples, 2), {samples.note: {4: unknown}}, [jump]).replaces

    assert fold_batch({samples.note: document}, {}, versions(samples, 4)).counts.ignored == 1


def test_a_document_of_an_earlier_release_knows_its_last_event_and_learns_the_next_ones(samples: Samples):
    old = {name: value for name, value in at(samples, 67)[samples.note].items() if name not in ("ids", "snapshot")}

    (document,) = fold_batch({samples.note: old}, {}, versions(samples, 68)).replaces

    events = [*versions(samples, 67, 68, 66), fork_of(samples, 67), fork_of(samples, 68), fork_of(samples, 66)]
    found = fold_batch({samples.note: document}, {}, events)
    assert (found.counts.ignored, found.counts.forked) == (4, 2)


def test_a_fork_that_was_found_before_the_first_version_came_keeps_its_place():
    assert places([{"version": 5, "event_id": "x", "at": 0}]) == {(5, "x"): 0}
    assert places([{"version": 5, "event_id": "x", "at": None}, {"version": 6, "event_id": "y"}]) == {
        (5, "x"): 5,
        (6, "y"): 6,
    }
