"""The order of docs/architecture.md, "Which rule wins", line by line, for every command."""

from datetime import timedelta
from typing import Any, Final

import pytest
from command_support.builders import LATER, NOW, new_id, note

from notes_command.commands import HANDLERS
from notes_command.domain import events
from notes_command.domain.note import Accepted, Decision, Note, Rejected, Rule, Status
from notes_contracts import COMMANDS, Change, Command, command_name

ID = new_id()
MODELS: Final = {command_name(type_): model for type_, model in COMMANDS.items()}
EFFECT: Final[dict[str, dict[str, Any]]] = {
    "update-note": {"body": "new"},
    "rename-note": {"title": "new"},
    "tag-note": {"tag": "new"},
    "untag-note": {"tag": "b"},
    "archive-note": {},
    "restore-note": {},
    "delete-note": {},
}
"""Data that changes the note of `present`, given the status that `FROM` names."""
NO_EFFECT: Final[dict[str, dict[str, Any]]] = {
    "update-note": {"body": "old"},
    "rename-note": {"title": "old"},
    "tag-note": {"tag": "b"},
    "untag-note": {"tag": "absent"},
    "archive-note": {},
    "restore-note": {},
}
FROM: Final = {"restore-note": Status.ARCHIVED}
ALWAYS_POSSIBLE: Final = {"archive-note", "restore-note", "delete-note"}
"""Possible on an archived note, too."""
every_change = pytest.mark.parametrize("name", EFFECT)


def present(status: Status = Status.ACTIVE, **changes: Any) -> Note:
    fields = {"version": 4, "title": "old", "body": "old", "tags": ("a", "b", "c"), "status": status}
    return note(id=ID, **fields | changes)


def decide(name: str, before: Note | None, expected: int | None = None, **data: Any) -> Decision:
    if expected is not None:
        data["expected_version"] = expected
    command: Command = MODELS[name](note_id=ID, **data)
    return HANDLERS[type(command)](before, command, LATER)


def rule(decision: Decision) -> Rule | None:
    return decision.rule if isinstance(decision, Rejected) else None


def create(before: Note | None, tags: int = 0) -> Decision:
    return decide("create-note", before, title="T", body="B", tags=tuple(f"t{n}" for n in range(tags)), author="Ada")


def test_the_tables_of_this_test_hold_every_command_that_expects_a_version() -> None:
    assert {"create-note", *EFFECT} == set(MODELS)
    assert set(EFFECT) == {name for name, model in MODELS.items() if issubclass(model, Change)}


# Line 3: create: id in use; all others: unknown id.


def test_a_new_note_is_at_version_one() -> None:
    assert create(None, tags=2) == Accepted(
        Note(ID, "T", "B", ("t0", "t1"), "Ada", Status.ACTIVE, 1, LATER, LATER),
        events.NoteCreated(ID, 1, LATER, "T", "B", ("t0", "t1"), "Ada"),
    )


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.ARCHIVED])
def test_an_id_in_use_is_refused_whatever_else_is_wrong(status: Status) -> None:
    assert rule(create(present(status), tags=21)) is Rule.NOTE_ALREADY_EXISTS


def test_the_id_of_a_deleted_note_is_never_used_again() -> None:
    assert rule(create(present(Status.DELETED), tags=21)) is Rule.NOTE_DELETED


@every_change
def test_an_unknown_note_is_not_found_whatever_version_is_expected(name: str) -> None:
    assert rule(decide(name, None, **EFFECT[name])) is Rule.NOTE_NOT_FOUND
    assert rule(decide(name, None, 1, **EFFECT[name])) is Rule.NOTE_NOT_FOUND


# Line 4: deleted comes before the version, and before everything that would change nothing.


@every_change
@pytest.mark.parametrize("expected", [None, 4, 99])
def test_a_deleted_note_is_deleted_to_every_command(name: str, expected: int | None) -> None:
    for data in (EFFECT[name], NO_EFFECT.get(name, {})):
        assert rule(decide(name, present(Status.DELETED), expected, **data)) is Rule.NOTE_DELETED


# Line 5: the version comes before archived, before what changes nothing, and before too many tags.


@every_change
@pytest.mark.parametrize("status", [Status.ACTIVE, Status.ARCHIVED])
@pytest.mark.parametrize("expected", [-1, 0, 3, 5, 2**70])
def test_another_version_is_a_conflict(name: str, status: Status, expected: int) -> None:
    full = present(status, tags=tuple(f"t{n}" for n in range(20)))
    for data in (EFFECT[name], NO_EFFECT.get(name, {})):
        assert rule(decide(name, present(status), expected, **data)) is Rule.VERSION_CONFLICT
        assert rule(decide(name, full, expected, **data)) is Rule.VERSION_CONFLICT


# Line 6: archived, even if nothing would change; not for archive, restore and delete.


@every_change
@pytest.mark.parametrize("expected", [None, 4])
def test_an_archived_note_is_changed_by_three_commands_only(name: str, expected: int | None) -> None:
    full = present(Status.ARCHIVED, tags=tuple(f"t{n}" for n in range(20)))
    refused = None if name in ALWAYS_POSSIBLE else Rule.NOTE_ARCHIVED
    for before in (present(Status.ARCHIVED), full):
        for data in (EFFECT[name], NO_EFFECT.get(name, {})):
            assert rule(decide(name, before, expected, **data)) is refused


# Line 7: nothing would change.


@pytest.mark.parametrize("name", NO_EFFECT)
@pytest.mark.parametrize("expected", [None, 4])
def test_what_changes_nothing_is_accepted_at_the_present_version(name: str, expected: int | None) -> None:
    before = present(Status.ARCHIVED if name == "archive-note" else Status.ACTIVE)
    assert decide(name, before, expected, **NO_EFFECT[name]) == Accepted(before, None)


# Line 8: too many tags.


@pytest.mark.parametrize(("tags", "refused"), [(20, None), (21, Rule.TOO_MANY_TAGS)])
def test_a_note_is_created_with_at_most_twenty_tags(tags: int, refused: Rule | None) -> None:
    assert rule(create(None, tags)) is refused


def test_the_twenty_first_tag_is_one_too_many_and_one_of_the_twenty_changes_nothing() -> None:
    nineteen, twenty = (present(tags=tuple(f"t{n}" for n in range(count))) for count in (19, 20))
    assert rule(decide("tag-note", nineteen, tag="new")) is None
    assert rule(decide("tag-note", twenty, tag="new")) is Rule.TOO_MANY_TAGS
    assert decide("tag-note", twenty, tag="t7") == Accepted(twenty, None)
    assert rule(decide("untag-note", twenty, tag="t7")) is None


# Line 9: one event, version + 1.

HEAD: Final = (ID, 5, LATER)
COMES_TO: Final[dict[str, tuple[dict[str, Any], events.Event]]] = {
    "update-note": ({"body": "new"}, events.NoteUpdated(*HEAD, "new")),
    "rename-note": ({"title": "new"}, events.NoteRenamed(*HEAD, "new")),
    "tag-note": ({"tags": ("a", "b", "c", "new")}, events.NoteTagged(*HEAD, "new", ("a", "b", "c", "new"))),
    "untag-note": ({"tags": ("a", "c")}, events.NoteUntagged(*HEAD, "b", ("a", "c"))),
    "archive-note": ({"status": Status.ARCHIVED}, events.NoteArchived(*HEAD)),
    "restore-note": ({"status": Status.ACTIVE}, events.NoteRestored(*HEAD)),
    "delete-note": (
        {"title": "", "body": "", "tags": (), "author": None, "status": Status.DELETED},
        events.NoteDeleted(*HEAD),
    ),
}


@every_change
@pytest.mark.parametrize("expected", [None, 4])
def test_an_accepted_command_makes_the_next_version_and_touches_nothing_else(name: str, expected: int | None) -> None:
    status = FROM.get(name, Status.ACTIVE)
    changes, event = COMES_TO[name]
    after = present(**{"status": status, "version": 5, "updated_at": LATER} | changes)
    assert decide(name, present(status), expected, **EFFECT[name]) == Accepted(after, event)


def test_an_archived_note_can_be_deleted() -> None:
    decision = decide("delete-note", present(Status.ARCHIVED))
    assert isinstance(decision, Accepted)
    assert (decision.note.status, decision.note.body, decision.note.version) == (Status.DELETED, "", 5)


@every_change
def test_a_clock_that_went_back_does_not_take_the_time_of_the_note_back(name: str) -> None:
    seen = LATER + timedelta(hours=1)
    decision = decide(name, present(FROM.get(name, Status.ACTIVE), updated_at=seen), **EFFECT[name])
    assert isinstance(decision, Accepted)
    assert decision.event is not None
    assert (decision.note.updated_at, decision.event.occurred_at, decision.note.created_at) == (seen, seen, NOW)


def test_a_rejection_says_what_it_is_about() -> None:
    decision = decide("update-note", present(), 3, body="new")
    assert isinstance(decision, Rejected)
    assert decision.message == "the note is at version 4, not 3"


@pytest.mark.parametrize("status", Status)
def test_a_snapshot_is_the_present_state_at_the_present_version(status: Status) -> None:
    before = present(status, updated_at=LATER)
    assert before.snapshot() == events.NoteSnapshotted(
        ID, 4, LATER, "old", "old", ("a", "b", "c"), "Ada", status, NOW, LATER
    )
