"""query-service reads the golden events and outcomes, in both modes, and whatever a later writer adds."""

from collections.abc import Callable

import pytest

from notes_contracts import EVENTS, OUTCOMES, format_time
from notes_query.projecting.project_events import decode_event
from notes_query.projecting.record_outcomes import decode_outcome
from tests.contract.golden_file import Golden, as_consumed, golden, structured, with_unknown_field


def as_it_is(message: Golden) -> Golden:
    return message


def structured_with_unknown_field(message: Golden) -> Golden:
    return structured(with_unknown_field(message))


every_form = pytest.mark.parametrize("form", [as_it_is, structured, with_unknown_field, structured_with_unknown_field])


@every_form
@pytest.mark.parametrize("name", EVENTS)
def test_a_golden_event_is_read_whole(name: str, form: Callable[[Golden], Golden]) -> None:
    message = golden(name)
    event = decode_event(as_consumed(form(message), "notes.events"))
    assert type(event.data) is EVENTS[name]
    assert event.data.model_dump(mode="json") == message.data
    assert event.type == name
    assert event.id == message.attributes["ce_id"].decode()
    assert event.note_id == message.key.decode()
    assert event.version == message.data["version"]
    assert event.occurred_at is not None
    assert format_time(event.occurred_at) == message.data["occurred_at"]


@every_form
@pytest.mark.parametrize("name", OUTCOMES)
def test_a_golden_outcome_is_read_whole(name: str, form: Callable[[Golden], Golden]) -> None:
    message = golden(name)
    document = dict(decode_outcome(as_consumed(form(message), "notes.command-outcomes")))
    at = document.pop("at")
    expected = message.data
    assert document.pop("_id") == expected.pop("command_id")
    assert format_time(at) == expected.pop("at")  # type: ignore[arg-type]
    assert document == expected


@pytest.mark.parametrize("mode", [as_it_is, structured])
def test_an_event_of_a_later_type_still_tells_its_note_and_version(mode: Callable[[Golden], Golden]) -> None:
    message = golden("notes.event.note-updated.v1")
    headers = tuple((n, b"notes.event.note-painted.v1" if n == "ce_type" else v) for n, v in message.headers)
    event = decode_event(as_consumed(mode(Golden(message.key, headers, message.value)), "notes.events"))
    assert (event.data, event.type) == (None, "notes.event.note-painted.v1")
    assert (event.note_id, event.version) == (message.key.decode(), 2)
