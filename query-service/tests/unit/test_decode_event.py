import json
import time
from collections.abc import Callable
from traceback import format_exception
from typing import Any

import pytest
from query_support.fixtures import Samples

from notes_chassis.unread import TOO_LARGE, UNREAD
from notes_contracts.validation import DATA_MAX
from notes_query.errors import Undecodable
from notes_query.projecting.project_events import decode_event
from notes_query.projecting.record_outcomes import decode_outcome
from notes_query.projections.read_model import Record


def data(samples: Samples, **changes: Any) -> bytes:
    fields = json.loads(samples.written(samples.updated()).value) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def headers(samples: Samples, **changes: Any) -> dict[str, bytes | None]:
    known = {"ce_id": samples.id("e").encode(), "ce_type": b"notes.event.note-updated.v1", "ce_sequence": b"2"}
    return {name: value for name, value in (known | changes).items() if value is not ...}


def test_a_record_of_the_other_side_is_read_whole(samples: Samples):
    record = samples.record(samples.updated(body="b"))

    event = decode_event(record)

    assert (event.note_id, event.version, event.id) == (samples.note, 2, samples.id(f"{samples.note}:2"))
    assert event.type == "notes.event.note-updated.v1"
    assert event.data == samples.updated(body="b")
    assert event.occurred_at == samples.at(2)
    assert event.record is record


def test_structured_mode_and_fields_nobody_knows_are_read(samples: Samples):
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
def test_of_an_unknown_type_or_version_the_headers_and_the_key_are_enough(samples: Samples, kind: bytes):
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
def test_headers_without_which_there_is_no_event(samples: Samples, changed: dict[str, Any], reason: str):
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
def test_a_known_type_needs_json(samples: Samples, value: bytes | None, reason: str):
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
def test_a_known_type_needs_its_fields_and_the_reason_names_them(samples: Samples, changed: dict[str, Any], field: str):
    with pytest.raises(Undecodable, match=field):
        decode_event(samples.raw(data(samples, **changed), **headers(samples)))


def test_the_reason_keeps_the_text_of_notes_to_itself(samples: Samples):
    with pytest.raises(Undecodable) as caught:
        decode_event(samples.raw(data(samples, body=["a secret"]), **headers(samples)))

    assert "secret" not in str(caught.value)


MARK = "mark of a secret"


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_sequence", "ce_causationid", "traceparent", MARK])
@pytest.mark.parametrize("text", [MARK, MARK + "\0", MARK * 1000])
@pytest.mark.parametrize("decode", [decode_event, decode_outcome])
def test_no_header_is_repeated(samples: Samples, name: str, text: str, decode: Callable[[Record], object]):
    record = samples.raw(data(samples), key=MARK.encode(), **headers(samples, **{name: text.encode()}))
    assert MARK not in refusal_of(decode, record)


@pytest.mark.parametrize("field", ["note_id", "version", "occurred_at", "body", "command_id", "status", "at", MARK])
@pytest.mark.parametrize("wrong", [MARK, MARK + "\0", [MARK], {MARK: [MARK]}, "2026-02-30T00:00:00.000Z"])
@pytest.mark.parametrize("kind", ["notes.event.note-updated.v1", "notes.outcome.rejected.v1"])
def test_no_field_is_repeated(samples: Samples, field: str, wrong: object, kind: str):
    record = samples.raw(data(samples, **{field: wrong}), **headers(samples, ce_type=kind.encode()))
    assert MARK not in refusal_of(decode_event, record)
    assert MARK not in refusal_of(decode_outcome, record)


def refusal_of(decode: Callable[[Record], object], record: Record) -> str:
    try:
        decode(record)
    except Undecodable as error:
        return str(error) + "".join(format_exception(error))
    return ""


def test_a_header_with_nearly_the_name_is_named(samples: Samples):
    record = samples.raw(data(samples), **headers(samples, **{"ce_sequence": ..., "ce-sequence": b"2"}))
    with pytest.raises(Undecodable, match="ce_sequence is missing; there is 'ce-sequence'"):
        decode_event(record)


@pytest.mark.parametrize("decode", [decode_event, decode_outcome])
def test_a_record_that_was_not_read_says_why(samples: Samples, decode: Callable[[Record], object]):
    assert refusal_of(decode, samples.raw(None, **{UNREAD: TOO_LARGE})).startswith(TOO_LARGE.decode())


def test_a_byte_order_mark_is_ignored(samples: Samples):
    record = samples.raw(b"\xef\xbb\xbf" + data(samples), **headers(samples))
    assert decode_event(record).data == samples.updated()


def test_data_that_only_compression_could_bring_is_not_parsed(samples: Samples):
    record = samples.raw(b" " * (DATA_MAX + 1), **headers(samples))
    with pytest.raises(Undecodable, match="larger than"):
        decode_event(record)


def test_refusing_an_event_costs_about_what_reading_it_costs(samples: Samples):
    """500,000 bad tags took 130 times as long."""
    raw = data(samples, tags=[7] * 500_000, tag="x")
    record = samples.raw(raw, **headers(samples, ce_type=b"notes.event.note-tagged.v1"))

    def cpu(step: Callable[[], object]) -> float:
        times = []
        for _ in range(3):
            started = time.process_time()
            step()
            times.append(time.process_time() - started)
        return min(times)

    assert cpu(lambda: refusal_of(decode_event, record)) < 12 * cpu(lambda: json.loads(raw)) + 0.01
    assert refusal_of(decode_event, record).startswith("tags.0: ")
