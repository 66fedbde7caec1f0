"""The decision order of the design, line by line, for what create and update can reach."""

from datetime import timedelta

import pytest
from command_support.builders import LATER, NOW, new_id, note

from notes_command.application.create_note import create_note
from notes_command.application.update_note import update_note
from notes_command.domain.decision import Accepted, Decision, Rejected, Rule
from notes_command.domain.events import NoteCreated, NoteUpdated
from notes_command.domain.note import Note, Status
from notes_contracts import CreateNote, UpdateNote

ID = new_id()


def creating(present: Note | None, tags: int = 0) -> Decision:
    command = CreateNote(note_id=ID, title="T", body="B", tags=tuple(f"t{n}" for n in range(tags)), author="Ada")
    return create_note(present, command, NOW)


def updating(present: Note | None, body: str = "new", expected: int | None = None) -> Decision:
    return update_note(present, UpdateNote(note_id=ID, body=body, expected_version=expected), LATER)


def rule(decision: Decision) -> Rule | None:
    return decision.rule if isinstance(decision, Rejected) else None


def present(status: Status = Status.ACTIVE) -> Note:
    return note(id=ID, status=status, version=4, body="old", tags=("a",))


def test_a_new_note_is_at_version_one() -> None:
    assert creating(None, tags=2) == Accepted(
        Note(ID, "T", "B", ("t0", "t1"), "Ada", Status.ACTIVE, 1, NOW, NOW),
        NoteCreated(ID, 1, NOW, "T", "B", ("t0", "t1"), "Ada"),
    )


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.ARCHIVED])
def test_an_id_in_use_is_refused_whatever_else_is_wrong(status: Status) -> None:
    assert rule(creating(present(status), tags=21)) is Rule.NOTE_ALREADY_EXISTS


def test_the_id_of_a_deleted_note_is_never_used_again() -> None:
    assert rule(creating(present(Status.DELETED), tags=21)) is Rule.NOTE_DELETED


@pytest.mark.parametrize(("tags", "refused"), [(20, None), (21, Rule.TOO_MANY_TAGS)])
def test_a_note_is_created_with_at_most_twenty_tags(tags: int, refused: Rule | None) -> None:
    assert rule(creating(None, tags)) is refused


def test_an_unknown_note_is_not_found_even_if_a_version_is_expected() -> None:
    assert rule(updating(None, expected=1)) is Rule.NOTE_NOT_FOUND


@pytest.mark.parametrize(
    ("status", "expected", "body", "refused"),
    [
        (Status.DELETED, 99, "old", Rule.NOTE_DELETED),
        (Status.ARCHIVED, 99, "old", Rule.VERSION_CONFLICT),
        (Status.ACTIVE, 99, "old", Rule.VERSION_CONFLICT),
        (Status.ACTIVE, 3, "new", Rule.VERSION_CONFLICT),
        (Status.ACTIVE, 5, "new", Rule.VERSION_CONFLICT),
        (Status.ACTIVE, 0, "new", Rule.VERSION_CONFLICT),
        (Status.ARCHIVED, 4, "old", Rule.NOTE_ARCHIVED),
        (Status.ARCHIVED, None, "new", Rule.NOTE_ARCHIVED),
        (Status.ACTIVE, 4, "old", None),
        (Status.ACTIVE, 4, "new", None),
        (Status.ACTIVE, None, "new", None),
    ],
)
def test_the_first_rule_that_says_no_is_the_answer(
    status: Status, expected: int | None, body: str, refused: Rule | None
) -> None:
    assert rule(updating(present(status), body, expected)) is refused


def test_the_same_body_changes_nothing() -> None:
    before = present()
    assert updating(before, "old") == Accepted(before, None)


def test_a_new_body_makes_the_next_version_and_touches_nothing_else() -> None:
    assert updating(present(), "new") == Accepted(
        note(id=ID, version=5, body="new", tags=("a",), updated_at=LATER), NoteUpdated(ID, 5, LATER, "new")
    )


def test_a_clock_that_went_back_does_not_take_the_time_of_the_note_back() -> None:
    seen = LATER + timedelta(hours=1)
    decision = updating(note(id=ID, updated_at=seen))
    assert isinstance(decision, Accepted)
    assert decision.event is not None
    assert (decision.note.updated_at, decision.event.occurred_at) == (seen, seen)


def test_a_rejection_says_what_it_is_about() -> None:
    decision = updating(present(), expected=3)
    assert isinstance(decision, Rejected)
    assert decision.message == "the note is at version 4, not 3"
