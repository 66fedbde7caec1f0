"""Changes leave when their notes are there, in the order of each note's versions, and no id passes one that has not."""

import random
from collections.abc import Iterable

from notes_query.live.pending_changes import ASIDE_AFTER_S, PendingChanges
from notes_query.live.position import NAMED, StreamPosition, decode
from notes_query.live.set_aside import ASIDE, ASIDE_OF_A_NOTE, DROPPED, Change

EMPTY = StreamPosition(7, (0, 0))


def change(note: str, version: int, offset: int, partition: int = 0) -> Change:
    return Change(note, version, "notes.event.note-updated.v1", None, partition, offset)


def told(pending: PendingChanges, levels: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(sent.change.note_id, sent.change.version) for sent in pending.reached(levels)]


def dropped_ever() -> float:
    (family,) = DROPPED.collect()
    return next(sample.value for sample in family.samples if sample.name.endswith("_total"))


def test_a_change_leaves_when_its_note_is_there_and_once_only():
    pending = PendingChanges(EMPTY)
    pending.add([change("a", 1, 0), change("a", 2, 1)], (2, 0))
    assert told(pending, [("a", 0)]) == []
    assert told(pending, [("a", 1)]) == [("a", 1)]
    assert told(pending, [("a", 5)]) == [("a", 2)]
    assert not pending.waits
    pending.add([change("a", 1, 2), change("a", 2, 3)], (4, 0))  # sent twice by a relay that crashed
    assert not pending.waits
    assert pending.position.next == (4, 0)


def test_a_note_that_is_late_holds_up_nobody_and_the_position_names_it():
    pending = PendingChanges(EMPTY)
    pending.add([change("late", 1, 0), change("b", 1, 1), change("c", 1, 2)], (3, 0))
    sent = list(pending.reached([("c", 1), ("b", 1)]))
    assert [one.change.note_id for one in sent] == ["b", "c"]
    assert decode(sent[0].id) == StreamPosition(7, (2, 0), ((0, 0),))
    assert decode(sent[1].id) == StreamPosition(7, (3, 0), ((0, 0),))
    assert told(pending, [("late", 1)]) == [("late", 1)]
    assert pending.position == StreamPosition(7, (3, 0))


def test_what_was_not_reached_is_not_passed_when_nothing_later_was():
    pending = PendingChanges(EMPTY)
    pending.add([change("a", 1, 0), None, change("b", 1, 2)], (5, 3))
    assert pending.position == StreamPosition(7, (0, 3))


def test_when_more_is_held_than_a_position_names_it_stays_below_the_rest():
    pending = PendingChanges(EMPTY)
    pending.add([change(f"n{offset}", 1, offset) for offset in range(20)], (20, 0))
    told(pending, [("n19", 1)])
    assert pending.position.next == (NAMED, 0)
    assert len(pending.position.pending) == NAMED


def test_going_on_from_any_id_repeats_nothing_and_misses_nothing():
    """Whatever the order in which notes become visible: what was told before an id and after it is everything."""
    chance, exact = random.Random(5), 0
    for _ in range(50):
        events = [change(f"n{chance.randrange(6)}", 0, 0, chance.randrange(2)) for _ in range(40)]
        versions: dict[str, int] = {}
        offsets = [0, 0]
        for place, event in enumerate(events):
            partition = int(event.note_id[1:]) % 2
            versions[event.note_id] = versions.get(event.note_id, 0) + 1
            events[place] = change(event.note_id, versions[event.note_id], offsets[partition], partition)
            offsets[partition] += 1
        pending = PendingChanges(EMPTY)
        pending.add(events, offsets)
        levels = dict.fromkeys(versions, 0)
        before: list[Change] = []
        cut: list[tuple[str, set[Change]]] = []
        while pending.waits:
            note = chance.choice(list(levels))
            levels[note] = min(versions[note], levels[note] + chance.randrange(1, 4))
            for sent in pending.reached([(note, levels[note])]):
                before.append(sent.change)
                cut.append((sent.id, set(before)))
        assert sorted(before) == sorted(events)
        for id_, seen in cut:
            again = PendingChanges(decode(id_))
            starts = again.read
            again.add([event for event in events if event.offset >= starts[event.partition]], offsets)
            after = [sent.change for sent in again.reached(versions.items())]
            assert seen | set(after) == set(events)
            if len(again.position.pending) < NAMED and len(decode(id_).pending) < NAMED:
                assert not seen & set(after)
                exact += 1
    assert exact > 500


def test_what_the_projector_has_passed_is_set_apart_and_told_when_it_heals():
    pending = PendingChanges(EMPTY)
    pending.add([change("parked", 3, 0), change("b", 1, 1)], (2, 0))
    told(pending, [("b", 1)])
    pending.set_aside({0: 0}, 0.0)
    pending.set_aside({0: 0}, ASIDE_AFTER_S)
    assert pending.position.pending == ((0, 0),)  # the projector is behind: that is no reason to pass anything
    pending.set_aside({0: 2}, 1000.0)
    pending.set_aside({0: 2}, 1000.0 + ASIDE_AFTER_S - 1)
    assert pending.waiting == 1
    pending.set_aside({0: 2}, 1000.0 + ASIDE_AFTER_S)
    assert (pending.position, len(pending.aside), pending.waiting) == (StreamPosition(7, (2, 0)), 1, 0)

    pending.add([change("parked", 2, 2)], (3, 0))  # what was missing
    sent = list(pending.reached([("parked", 3)]))
    assert [(one.change.version, one.late) for one in sent] == [(2, False), (3, True)]
    assert not pending.waits


def test_no_more_is_kept_apart_than_there_is_room_for():
    pending, dropped = PendingChanges(EMPTY), dropped_ever()
    count = ASIDE + 10
    pending.add([change(f"n{offset}", 2, offset) for offset in range(count)], (count, 0))
    for now in (0.0, ASIDE_AFTER_S):
        pending.set_aside({0: count}, now)
    assert (len(pending.aside), dropped_ever() - dropped, pending.waiting) == (ASIDE, 10, 0)
    assert told(pending, [("n0", 2), ("n10", 2)]) == [("n10", 2)]


def test_what_the_projector_has_passed_is_late_before_it_is_set_aside():
    """Another instance may have set it aside already: who comes from there has passed it."""
    pending = PendingChanges(EMPTY)
    pending.add([change("parked", 2, 0), change("b", 1, 1)], (2, 0))
    pending.set_aside({0: 1}, 0.0)
    assert [sent.late for sent in pending.reached([("parked", 2), ("b", 1)])] == [True, False]


def test_what_another_reader_had_set_aside_is_kept_where_nobody_knows_it():
    pending = PendingChanges(StreamPosition(7, (10, 10)))
    pending.add([change("a", 4, 10), change("b", 4, 11)], (12, 10))
    told(pending, [("b", 4)])
    pending.set_aside({0: 12}, 0.0)
    known = [change("a", 4, 10), change("b", 3, 5), change("c", 1, 12), change("d", 1, 10, 1)]
    pending.adopt([change("a", 3, 9), *known, change("a", 4, 8)])
    assert [one.offset for one in pending.aside] == [9]
    assert [(one.change.version, one.late) for one in pending.reached([("a", 4)])] == [(3, True), (4, True)]
    assert pending.position == StreamPosition(7, (12, 10))
    pending.add([change("c", 1, 12), change("d", 1, 10, 1)], (13, 11))
    assert told(pending, [("c", 1), ("d", 1)]) == [("c", 1), ("d", 1)]
    assert not pending.waits


def test_what_another_reader_had_set_aside_drops_nothing_that_is_here():
    start = ASIDE * 2
    pending, dropped = PendingChanges(StreamPosition(7, (start, 0))), dropped_ever()
    pending.adopt(change("long", version, version) for version in range(1, ASIDE_OF_A_NOTE + 6))
    assert (len(pending.aside), dropped_ever() - dropped) == (ASIDE_OF_A_NOTE, 5)


def test_everybody_is_asked_for_in_turn():
    pending = PendingChanges(EMPTY)
    pending.add([change(f"n{offset}", 1, offset) for offset in range(5)], (5, 0))
    assert {note for _ in range(3) for note in pending.asked(2)} == {f"n{offset}" for offset in range(5)}


def test_an_event_that_a_position_names_and_that_is_gone_is_forgotten():
    pending = PendingChanges(StreamPosition(7, (10, 0), ((0, 3),)))
    assert pending.position == StreamPosition(7, (10, 0), ((0, 3),))
    pending.add([change("a", 1, offset) for offset in (4, 9)], (10, 0))
    assert pending.position == StreamPosition(7, (10, 0))
    assert not pending.waits
