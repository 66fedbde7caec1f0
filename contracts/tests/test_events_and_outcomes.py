"""Readers of events and outcomes ignore what they do not know, and insist on what they do."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from notes_contracts import Code, NoteCreated, NoteSnapshotted, NoteTagged, NoteUntagged, NoteUpdated, Outcome

NOTE = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"
AT = "2026-01-02T03:04:05.678Z"
UPDATED: dict[str, Any] = {"note_id": NOTE, "version": 2, "occurred_at": AT, "body": "World"}
CREATED: dict[str, Any] = {
    "note_id": NOTE,
    "version": 1,
    "occurred_at": AT,
    "title": "Hello",
    "body": "",
    "tags": ["b", "a"],
    "author": None,
}
REJECTED: dict[str, Any] = {
    "command_id": NOTE,
    "note_id": None,
    "status": "rejected",
    "version": None,
    "error": {"code": "invalid", "message": "title: too long"},
    "at": AT,
    "digest": None,
}
MODELS = [(NoteCreated, CREATED), (NoteUpdated, UPDATED), (Outcome, REJECTED)]
every_model = pytest.mark.parametrize(("model", "data"), MODELS)


@every_model
def test_a_field_nobody_knows_is_ignored(model: Any, data: dict[str, Any]) -> None:
    known = model.model_validate_json(json.dumps(data))
    assert model.model_validate_json(json.dumps({**data, "colour": "blue"})) == known


@every_model
def test_a_field_that_is_missing_is_not_made_up(model: Any, data: dict[str, Any]) -> None:
    for field in data:
        rest = {key: value for key, value in data.items() if key != field}
        with pytest.raises(ValidationError):
            model.model_validate_json(json.dumps(rest))


@pytest.mark.parametrize("version", ["1", 1.0, True, 0, -1, None])
def test_a_version_is_a_whole_number_from_1(version: Any) -> None:
    with pytest.raises(ValidationError):
        NoteUpdated.model_validate_json(json.dumps({**UPDATED, "version": version}))


@pytest.mark.parametrize("version", ["1", 1.0, True])
def test_the_version_of_an_outcome_is_a_whole_number_or_null(version: Any) -> None:
    with pytest.raises(ValidationError):
        Outcome.model_validate_json(json.dumps({**REJECTED, "version": version}))


def test_tags_of_an_event_are_taken_as_they_are() -> None:
    assert NoteCreated.model_validate_json(json.dumps(CREATED)).tags == ("b", "a")


@pytest.mark.parametrize("model", [NoteCreated, NoteTagged, NoteUntagged, NoteSnapshotted])
def test_an_event_with_more_tags_than_any_rule_allows_is_refused(model: type[NoteCreated]) -> None:
    event = {**CREATED, "tag": "a", "status": "active", "created_at": AT, "updated_at": AT}
    most = [str(number) for number in range(1_000)]
    assert model.model_validate_json(json.dumps({**event, "tags": most})).tags == tuple(most)
    with pytest.raises(ValidationError):
        model.model_validate_json(json.dumps({**event, "tags": [*most, "one-more"]}))


def test_the_version_of_an_outcome_fits_a_store() -> None:
    accepted = {**REJECTED, "status": "accepted", "error": None}
    assert Outcome.model_validate_json(json.dumps({**accepted, "version": 2**63 - 1})).version == 2**63 - 1
    with pytest.raises(ValidationError):
        Outcome.model_validate_json(json.dumps({**accepted, "version": 2**63}))


def test_an_error_that_says_more_is_read() -> None:
    more = {**REJECTED["error"], "hint": "shorten it"}
    error = Outcome.model_validate_json(json.dumps({**REJECTED, "error": more})).error
    assert error is not None
    assert (error.code, error.message) == (Code.INVALID, "title: too long")


@pytest.mark.parametrize("status", ["Accepted", "done", "", None])
def test_an_outcome_has_one_of_three_statuses(status: Any) -> None:
    with pytest.raises(ValidationError):
        Outcome.model_validate_json(json.dumps({**REJECTED, "status": status}))


@pytest.mark.parametrize("time", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678+00:00", 1767323045])
def test_a_time_of_another_form_is_refused(time: Any) -> None:
    with pytest.raises(ValidationError):
        NoteUpdated.model_validate_json(json.dumps({**UPDATED, "occurred_at": time}))
