"""Structured mode, read: the value is an envelope with attributes and data."""

import json
import tracemalloc
from base64 import b64encode
from typing import Any

import pytest

from notes_contracts import CreateNote, Received, read
from notes_contracts.validation import DATA_MAX, InvalidData, validate

NOTE = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"
HEADERS = [("content-type", b"application/cloudevents+json")]
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER_TRACE = "00-11111111111111111111111111111111-2222222222222222-00"
ENVELOPE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "7d2f6a10-94c8-4be5-a1f3-5c0e8b7d9a21",
    "type": "notes.command.create-note.v1",
    "source": "/upstream",
    "datacontenttype": "application/json",
    "sequence": "3",
    "correlationid": "c",
    "causationid": "d",
    "traceparent": TRACEPARENT,
    "tracestate": "vendor=1",
    "data": {"note_id": NOTE, "title": "Grüße"},
}


def read_envelope(**changed: Any) -> Received:
    return read(HEADERS, json.dumps({**ENVELOPE, **changed}).encode())


def test_an_envelope_is_read_whole() -> None:
    received = read_envelope()
    assert received.data is not None
    assert CreateNote.model_validate_json(received.data) == CreateNote(note_id=NOTE, title="Grüße")
    assert (received.id, received.type) == (ENVELOPE["id"], ENVELOPE["type"])
    assert (received.sequence, received.correlationid, received.causationid) == ("3", "c", "d")
    assert (received.traceparent, received.tracestate) == (TRACEPARENT, "vendor=1")


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+json; charset=UTF-8",
        b" Application/CloudEvents+JSON ",
        b"application/cloudevents+json ;",
    ],
)
def test_parameters_and_case_of_the_content_type_do_not_matter(content_type: bytes) -> None:
    assert read([("content-type", content_type)], json.dumps(ENVELOPE).encode()) == read_envelope()


def test_attributes_come_from_the_envelope_not_from_headers() -> None:
    headers = [*HEADERS, ("ce_id", b"other"), ("ce_type", b"other"), ("ce_sequence", b"9")]
    assert read(headers, json.dumps(ENVELOPE).encode()) == read_envelope()


def test_the_trace_of_the_transport_goes_before_that_of_the_envelope() -> None:
    received = read([*HEADERS, ("traceparent", OTHER_TRACE.encode())], json.dumps(ENVELOPE).encode())
    assert (received.traceparent, received.tracestate) == (OTHER_TRACE, None)
    received = read([*HEADERS, ("traceparent", b"nonsense")], json.dumps(ENVELOPE).encode())
    assert (received.traceparent, received.tracestate) == (TRACEPARENT, "vendor=1")


def test_a_byte_order_mark_before_the_envelope_or_in_base64_is_ignored() -> None:
    assert read(HEADERS, b"\xef\xbb\xbf" + json.dumps(ENVELOPE).encode()) == read_envelope()
    envelope = {"id": "x", "data_base64": b64encode(b"\xef\xbb\xbf{}").decode()}
    assert read(HEADERS, json.dumps(envelope).encode()).data == b"{}"


def test_an_envelope_that_only_compression_could_bring_is_not_parsed() -> None:
    raw = json.dumps({**ENVELOPE, "x": "y" * DATA_MAX}).encode()
    assert read([*HEADERS, ("ce_id", b"mine")], raw) == Received(id="mine")


def test_a_sequence_may_be_a_json_integer() -> None:
    assert read_envelope(sequence=3).sequence == "3"


@pytest.mark.parametrize("attribute", ["id", "type", "sequence", "correlationid", "causationid", "traceparent"])
@pytest.mark.parametrize("value", [None, True, False, 3.0, [], {}, "a\0b"])
def test_an_attribute_of_another_kind_counts_as_absent(attribute: str, value: Any) -> None:
    assert getattr(read_envelope(**{attribute: value}), attribute) is None


def test_strict_types_survive_the_way_through_the_envelope() -> None:
    # The data is parsed and written again on the way: 3.0 must not become 3, nor a huge number null.
    data = b'{"a":3.0,"b":"3","c":true,"d":123456789012345678901234567890,"e":1e400}'
    received = read(HEADERS, b'{"id":"x","data":' + data + b"}")
    assert received.data is not None
    assert received.data.startswith(b'{"a":3.0,"b":"3","c":true,"d":123456789012345678901234567890,"e":')
    assert received.data.endswith(b'"e":1e999}')


def test_an_infinite_number_stays_json_and_a_text_of_that_name_stays_a_text() -> None:
    data = rb'{"a":[-1e400],"b":"Infinity","c":"\"Infinity","Infinity":1e999}'
    received = read(HEADERS, b'{"id":"x","data":' + data + b"}")
    assert received.data == rb'{"a":[-1e999],"b":"Infinity","c":"\"Infinity","Infinity":1e999}'
    with pytest.raises(InvalidData):
        validate(CreateNote, received.data)


@pytest.mark.parametrize("character", ["x", '"', "\\"], ids=["plain", "quotes", "backslashes"])
def test_beside_an_infinite_number_a_long_text_takes_memory_for_its_length_alone(character: str) -> None:
    # The expression that looks for such a number kept 150 bytes for each character of a text.
    value = b'{"id":"x","data":{"a":1e400,"b":' + json.dumps(character * 500_000).encode() + b"}}"
    tracemalloc.start()
    received = read(HEADERS, value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert received.data is not None
    assert received.data.startswith(b'{"a":1e999,')
    assert peak < 10 * len(value)


@pytest.mark.parametrize("data", [None, [], "text", 3, {}])
def test_data_of_any_kind_is_handed_on(data: Any) -> None:
    received = read_envelope(data=data)
    assert received.data is not None
    assert json.loads(received.data) == data


def test_an_envelope_without_data_is_json_that_fits_no_message() -> None:
    # Not unreadable: a command of a known type that does not validate is `invalid`, and no dead letter.
    envelope = {key: value for key, value in ENVELOPE.items() if key != "data"}
    assert read(HEADERS, json.dumps(envelope).encode()).data == b"null"


def test_data_in_base64_is_read() -> None:
    envelope = {key: value for key, value in ENVELOPE.items() if key != "data"}
    assert read(HEADERS, json.dumps({**envelope, "data_base64": "eyJhIjoxfQ=="}).encode()).data == b'{"a":1}'


@pytest.mark.parametrize("encoded", ["eyJhIjoxfQ=", "???", "é", 5, None])
def test_data_in_broken_base64_counts_as_absent(encoded: Any) -> None:
    envelope = {key: value for key, value in ENVELOPE.items() if key != "data"}
    received = read(HEADERS, json.dumps({**envelope, "data_base64": encoded}).encode())
    assert received.data is None
    assert received.id == ENVELOPE["id"]


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"[]", b"3", b"null", b"\xff", b'{"id": NaN}', b'{"id": "\\ud800"}', b"[" * 100_000],
)
def test_an_envelope_that_is_none_leaves_what_the_headers_say(value: bytes | None) -> None:
    # With a command id there, the sender still gets an outcome: `failed`, for there is no data.
    assert read(HEADERS, value) == Received()
    received = read([*HEADERS, ("ce_id", b"mine"), ("ce_type", b"t")], value)
    assert received == Received(id="mine", type="t")
