"""The random records reach everything that can happen, or the tests that use them would prove little."""

from collections import defaultdict

from command_support.random_records import SEEDS, sequence

from notes_contracts import EVENTS, Code

EVERY_EVENT = set(EVENTS) - {"notes.event.note-snapshotted.v1"}
EVERY_NO = {
    *(Code.UNDECODABLE, Code.INVALID, Code.NOTE_ALREADY_EXISTS, Code.NOTE_NOT_FOUND, Code.NOTE_ARCHIVED),
    *(Code.NOTE_DELETED, Code.TOO_MANY_TAGS, Code.VERSION_CONFLICT),
}


SEQUENCES = [sequence(seed) for seed in SEEDS]


def test_every_command_event_and_no_is_reached() -> None:
    told = {event["type"] for one in SEQUENCES for events in one.model.events.values() for event in events}
    assert told == EVERY_EVENT
    codes = {answer["code"] for one in SEQUENCES for answer in one.model.answers}
    assert codes == {None, *EVERY_NO}
    accepted = [first for one in SEQUENCES for first in one.model.first.values() if first["status"] == "accepted"]
    assert len(accepted) > sum(len(events) for one in SEQUENCES for events in one.model.events.values()), "no-ops"


def test_repeats_and_two_commands_under_one_id_are_among_them() -> None:
    bodies = defaultdict(set)
    for one in SEQUENCES:
        assert len(one.model.answers) > len(one.model.first)
        for record in one.sent:
            bodies[record.headers.get("ce_id")].add(record.value)
    assert any(len(different) > 1 for id_, different in bodies.items() if id_)


def test_a_sequence_is_the_same_every_time() -> None:
    assert sequence(3).sent == sequence(3).sent != sequence(4).sent
