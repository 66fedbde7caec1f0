"""The message types and their fields as they are promised, written out a second time."""

import re
from typing import Any

import pytest

from notes_contracts import (
    COMMANDS,
    EVENTS,
    OUTCOMES,
    Change,
    CreateNote,
    NoteUpdated,
    Outcome,
    command_name,
    outcome_type,
    type_of,
)
from notes_contracts.messages import MESSAGES

CHANGE = {"note_id", "expected_version"}
COMMAND_FIELDS = {
    "create-note": {"note_id", "title", "body", "tags", "author"},
    "update-note": CHANGE | {"body"},
    "rename-note": CHANGE | {"title"},
    "tag-note": CHANGE | {"tag"},
    "untag-note": CHANGE | {"tag"},
    "archive-note": CHANGE,
    "restore-note": CHANGE,
    "delete-note": CHANGE,
}
EVENT = {"note_id", "version", "occurred_at"}
SNAPSHOT = {"title", "body", "tags", "author", "status", "created_at", "updated_at"}
EVENT_FIELDS = {
    "note-created": EVENT | {"title", "body", "tags", "author"},
    "note-updated": EVENT | {"body"},
    "note-renamed": EVENT | {"title"},
    "note-tagged": EVENT | {"tag", "tags"},
    "note-untagged": EVENT | {"tag", "tags"},
    "note-archived": EVENT,
    "note-restored": EVENT,
    "note-deleted": EVENT,
    "note-snapshotted": EVENT | SNAPSHOT,
}
OUTCOME_FIELDS = {"command_id", "note_id", "status", "version", "error", "at", "digest"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_fields_that_are_promised(name: str) -> None:
    assert set(COMMANDS[name].model_fields) == COMMAND_FIELDS[command_name(name)]
    assert name == f"notes.command.{command_name(name)}.v1"
    assert issubclass(COMMANDS[name], Change) == (name != "notes.command.create-note.v1")


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_the_fields_that_are_promised(name: str) -> None:
    found = re.fullmatch(r"notes\.event\.(.+)\.v1", name)
    assert found is not None
    assert set(EVENTS[name].model_fields) == EVENT_FIELDS[found[1]]


def test_there_is_an_outcome_type_for_each_status() -> None:
    assert set(OUTCOMES) == {f"notes.outcome.{status}.v1" for status in ("accepted", "rejected", "failed")}
    assert set(OUTCOMES.values()) == {Outcome}
    assert set(Outcome.model_fields) == OUTCOME_FIELDS


def test_one_table_holds_all() -> None:
    assert dict(MESSAGES) == {**COMMANDS, **EVENTS, **OUTCOMES}
    assert len(MESSAGES) == len(COMMANDS) + len(EVENTS) + len(OUTCOMES)


@pytest.mark.parametrize("table", [COMMANDS, EVENTS, OUTCOMES, MESSAGES])
def test_nobody_can_add_to_a_table_at_run_time(table: Any) -> None:
    with pytest.raises(TypeError):
        table["notes.command.paint-note.v1"] = CreateNote


@pytest.mark.parametrize("name", MESSAGES)
def test_a_class_is_named_as_its_type(name: str) -> None:
    kind, words = name.split(".")[1:3]
    expected = "Outcome" if kind == "outcome" else words.title().replace("-", "")
    assert MESSAGES[name].__name__ == expected


def test_a_message_knows_its_type() -> None:
    note, at = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11", "2026-01-02T03:04:05.678Z"
    assert type_of(CreateNote(note_id=note, title="Hello")) == "notes.command.create-note.v1"
    assert type_of(NoteUpdated(note_id=note, version=2, occurred_at=at, body="")) == "notes.event.note-updated.v1"
    assert outcome_type("rejected") == "notes.outcome.rejected.v1"
