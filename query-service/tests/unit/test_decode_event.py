import json
from typing import Any

import pytest

from notes_query.application.decode_event import decode_event
from notes_query.application.errors import Undecodable


def data(samples: Any, **changes: Any) -> bytes:
    fields = json.loads(samples.written(samples.updated()).value) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def headers(samples: Any, **changes: Any) -> dict[str, bytes | None]:
    known = {"ce_id": samples.id("e").encode(), "ce_type": b"notes.event.note-updated.v1", "ce_sequence": b"2"}
    return {name: value for name, value in (known | changes).items() if value is not ...}


def test_a_record_of_the_other_side_is_read_whole(samples: Any):
    record = samples.record(samples.updated(body="b"))

    event = decode_event(record)

    assert (event.note_id, event.version, event.id) == (samples.note, 2, samples.id(f"{samples.note}:2"))
    assert event.type == "notes.event.note-updated.v1"
    assert event.data == samples.updated(body="b")
    assert event.occurred_at == samples.at(2)
    assert event.record is record


def test_structured_mode_and_fields_nobody_knows_are_read(samples: Any):
    envelope = {
        "specversion": "1.0",
        "id": samples.id("e").upper(),
        "type": "notes.event.note-updated.v1",
        "sequence": "2",
        "data": json.loads(data(samples, mood="good")),
    }
    record = samples.raw(json.dumps(envelope).encode(), **{"content-type": b"application/cloudevents+json"})

    event = decode_event(record)

    assert (event.id, event.version, event.data) == (samples.id("e"), 2, samples.updated())


@pytest.mark.parametrize("kind", [b"notes.event.note-coloured.v1", b"notes.event.note-updated.v2"])
def test_of_an_unknown_type_or_version_the_headers_and_the_key_are_enough(samples: Any, kind: bytes):
    record = samples.raw(b"\xff no JSON", key=samples.note.upper().encode(), **headers(samples, ce_type=kind))

    event = decode_event(record)

    assert (event.note_id, event.version, event.data, event.occurred_at) == (samples.note, 2, None, None)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"ce_id": ...}, "ce_id"),
        ({"ce_id": None}, "ce_id"),
        ({"ce_id": b"\xff\xfe"}, "ce_id"),
        ({"ce_id": b"5"}, "ce_id"),
        ({"ce_type": ...}, "ce_type"),
        ({"ce_type": b"a\0b"}, "ce_type"),
        ({"ce_sequence": ...}, "ce_sequence"),
        ({"ce_sequence": b"two"}, "ce_sequence"),
        ({"ce_sequence": b"-2"}, "ce_sequence"),
        ({"ce_sequence": b"0"}, "below 1"),
        ({"ce_sequence": "٢".encode()}, "ce_sequence"),
        ({"ce_sequence": b"9" * 19}, "ce_sequence"),
        ({"ce_sequence": b"3"}, "3.*2"),
        ({"ce_type": b"notes.event.note-coloured.v1"}, "key"),
    ],
)
def test_headers_without_which_there_is_no_event(samples: Any, changed: dict[str, Any], reason: str):
    with pytest.raises(Undecodable, match=reason):
        decode_event(samples.raw(data(samples), **headers(samples, **changed)))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no data"),
        (b"", "JSON"),
        (b"\xff", "JSON"),
        (b'{"body": "\\ud800"}', "JSON"),
        (b"[]", "."),
        (b"null", "."),
    ],
)
def test_a_known_type_needs_json(samples: Any, value: bytes | None, reason: str):
    with pytest.raises(Undecodable, match=reason):
        decode_event(samples.raw(value, **headers(samples)))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"body": ...}, "body"),
        ({"body": 5}, "body"),
        ({"note_id": "x"}, "note_id"),
        ({"version": "2"}, "version"),
        ({"version": True}, "version"),
        ({"version": 2.0}, "version"),
        ({"occurred_at": "2026-01-02"}, "occurred_at"),
        ({"occurred_at": "2026-13-02T03:04:05.678Z"}, "occurred_at"),
    ],
)
def test_a_known_type_needs_its_fields_and_the_reason_names_them(samples: Any, changed: dict[str, Any], field: str):
    with pytest.raises(Undecodable, match=field):
        decode_event(samples.raw(data(samples, **changed), **headers(samples)))


def test_the_reason_keeps_the_text_of_notes_to_itself(samples: Any):
    with pytest.raises(Undecodable) as caught:
        decode_event(samples.raw(data(samples, body=["a secret"]), **headers(samples)))

    assert "secret" not in str(caught.value)
