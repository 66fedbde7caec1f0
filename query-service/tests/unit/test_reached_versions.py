"""What is known to be stored is bounded, and never more than what is."""

from notes_query.projecting.record_outcomes import ReachedVersions


def test_a_version_that_was_stored_is_held_and_so_are_those_before_it():
    reached = ReachedVersions()
    reached.add([{"_id": "note", "version": 3}])
    reached.add([{"_id": "note", "version": 2}])
    assert [reached.holds("note", version) for version in (1, 3, 4)] == [True, True, False]
    assert not reached.holds("other", 1)


def test_those_written_last_are_kept():
    reached = ReachedVersions(max_notes=2)
    for note in ("one", "two", "one", "three"):
        reached.add([{"_id": note, "version": 1}])
    assert [note for note in ("one", "two", "three") if reached.holds(note, 1)] == ["one", "three"]
