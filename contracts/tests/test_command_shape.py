"""Strict types, unknown fields, defaults: what is no value of its field is `invalid`, never guessed at."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from notes_contracts import COMMANDS, Change, Command, CreateNote

NOTE = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"
SMALLEST: dict[str, dict[str, Any]] = {
    "notes.command.create-note.v1": {"note_id": NOTE, "title": "Hello"},
    "notes.command.update-note.v1": {"note_id": NOTE, "body": "World"},
    "notes.command.rename-note.v1": {"note_id": NOTE, "title": "Hello"},
    "notes.command.tag-note.v1": {"note_id": NOTE, "tag": "red"},
    "notes.command.untag-note.v1": {"note_id": NOTE, "tag": "red"},
    "notes.command.archive-note.v1": {"note_id": NOTE},
    "notes.command.restore-note.v1": {"note_id": NOTE},
    "notes.command.delete-note.v1": {"note_id": NOTE},
}
every_command = pytest.mark.parametrize("name", COMMANDS)
every_change = pytest.mark.parametrize("name", [name for name in COMMANDS if name != "notes.command.create-note.v1"])


def parse(name: str, data: Any) -> Command:
    return COMMANDS[name].model_validate_json(data if isinstance(data, str) else json.dumps(data))


def faulty_fields(name: str, data: Any) -> list[tuple[int | str, ...]]:
    with pytest.raises(ValidationError) as caught:
        parse(name, data)
    return [error["loc"] for error in caught.value.errors()]


@every_command
def test_the_required_fields_are_enough(name: str) -> None:
    assert parse(name, SMALLEST[name]).note_id == NOTE


@every_command
def test_each_required_field_is_required(name: str) -> None:
    for field in SMALLEST[name]:
        rest = {key: value for key, value in SMALLEST[name].items() if key != field}
        assert faulty_fields(name, rest) == [(field,)]


@every_command
@pytest.mark.parametrize("unknown", ["colour", "Note_id", "version", ""])
def test_a_field_nobody_knows_is_invalid(name: str, unknown: str) -> None:
    assert faulty_fields(name, {**SMALLEST[name], unknown: None}) == [(unknown,)]


@every_command
@pytest.mark.parametrize("value", [5, 5.0, True, None, ["Hello"], {"text": "Hello"}])
def test_text_is_text(name: str, value: Any) -> None:
    for field in SMALLEST[name]:
        assert faulty_fields(name, {**SMALLEST[name], field: value}) == [(field,)]


@every_command
@pytest.mark.parametrize("data", ["[]", "null", '"text"', "3", "true"])
def test_data_is_an_object(name: str, data: str) -> None:
    assert faulty_fields(name, data) == [()]


@every_command
@pytest.mark.parametrize("data", ["", "{", "{'a': 1}", '{"note_id": "\\ud800"}', "\ufeff{}", '{"note_id": NaN}'])
def test_what_is_not_json_does_not_validate(name: str, data: str) -> None:
    with pytest.raises(ValidationError):
        parse(name, data)


@every_command
def test_an_id_of_another_case_is_the_same_note(name: str) -> None:
    assert parse(name, {**SMALLEST[name], "note_id": NOTE.upper()}) == parse(name, SMALLEST[name])


@every_command
def test_a_command_does_not_change(name: str) -> None:
    command = parse(name, SMALLEST[name])
    with pytest.raises(ValidationError, match="frozen"):
        command.note_id = "other"  # type: ignore[misc]


def test_the_defaults_of_create_note() -> None:
    command = CreateNote(note_id=NOTE, title="Hello")
    assert (command.body, command.tags, command.author) == ("", (), None)


def test_all_but_create_note_take_an_expected_version() -> None:
    takers = {name for name, model in COMMANDS.items() if issubclass(model, Change)}
    assert set(COMMANDS) - takers == {"notes.command.create-note.v1"}
    assert faulty_fields("notes.command.create-note.v1", {"note_id": NOTE, "title": "x", "expected_version": 1}) == [
        ("expected_version",)
    ]


@every_change
@pytest.mark.parametrize("version", [None, 0, 1, -1, 2**70])
def test_an_expected_version_is_a_whole_number_or_null(name: str, version: int | None) -> None:
    # One that no note can have is a version_conflict, not invalid: it is well formed.
    command = parse(name, {**SMALLEST[name], "expected_version": version})
    assert isinstance(command, Change)
    assert command.expected_version == version


@every_change
@pytest.mark.parametrize("version", ['"3"', "3.0", "3e0", "true", "false", "[3]", "{}", '""', "1e400"])
def test_nothing_else_is_an_expected_version(name: str, version: str) -> None:
    data = json.dumps({**SMALLEST[name], "expected_version": "here"}).replace('"here"', version)
    assert faulty_fields(name, data) == [("expected_version",)]
