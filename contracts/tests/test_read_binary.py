"""Binary mode, read: whatever the headers hold, reading never raises, and what is unreadable counts as absent."""

import pytest

from notes_contracts import CreateNote, Received, read, write

ID = "7d2f6a10-94c8-4be5-a1f3-5c0e8b7d9a21"
NOTE = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"
ATTRIBUTES = {
    "ce_id": "id",
    "ce_type": "type",
    "ce_sequence": "sequence",
    "ce_correlationid": "correlationid",
    "ce_causationid": "causationid",
}
TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "vendor=1"}
every_attribute = pytest.mark.parametrize(("header", "name"), ATTRIBUTES.items())


def test_what_was_written_is_read() -> None:
    written = write(CreateNote(note_id=NOTE, title="Hello"), id=ID, correlationid="c", causationid="d", **TRACE)
    assert read(written.headers, written.value) == Received(
        id=ID,
        type="notes.command.create-note.v1",
        data=written.value,
        correlationid="c",
        causationid="d",
        **TRACE,
    )


@every_attribute
def test_each_attribute_comes_from_its_header(header: str, name: str) -> None:
    received = read([(header, "wért".encode())], b"{}")
    assert received == Received(**{name: "wért"}, data=b"{}")


@every_attribute
@pytest.mark.parametrize("raw", [None, b"\xff", b"a\0b", b"\0", b"\xed\xa0\x80", b"\xc3"])
def test_a_header_that_is_null_or_not_utf8_or_holds_nul_counts_as_absent(
    header: str, name: str, raw: bytes | None
) -> None:
    assert getattr(read([(header, raw)], b"{}"), name) is None


@every_attribute
def test_a_header_that_is_there_but_empty_is_an_empty_text(header: str, name: str) -> None:
    assert getattr(read([(header, b"")], b"{}"), name) == ""


def test_of_a_header_that_is_there_twice_the_last_counts() -> None:
    assert read([("ce_id", b"first"), ("ce_id", b"last")], b"{}").id == "last"
    assert read([("ce_id", b"first"), ("ce_id", None)], b"{}").id is None


def test_headers_nobody_asked_for_do_no_harm() -> None:
    odd = [("", b""), ("ce_", b"\xff"), ("ce_data", b"{}"), ("CE_ID", b"other"), ("ce-id", b"other"), ("Ünï", None)]
    assert read([*odd, ("ce_id", b"mine")], b"{}") == Received(id="mine", data=b"{}")


def test_a_byte_order_mark_before_the_data_is_ignored() -> None:
    assert read([], b"\xef\xbb\xbf{}").data == b"{}"
    assert read([], b"\xef\xbb\xbf\xef\xbb\xbf{}").data == b"\xef\xbb\xbf{}"


@pytest.mark.parametrize("value", [None, b"", b"not json", b"\xff\x00"])
def test_the_value_is_handed_on_as_it_is(value: bytes | None) -> None:
    assert read([("ce_id", b"mine")], value).data == value


def test_no_headers_at_all_are_read_as_nothing() -> None:
    assert read([], None) == Received()


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"",
        b"\xff",
        b"text/plain",
        b"application/json; charset=UTF-8",
        b"application/cloudevents",
        b"application/cloudevents+jsonx",
        b"application/cloudevents-batch+json",
    ],
)
def test_any_other_content_type_is_binary_mode(content_type: bytes | None) -> None:
    received = read([("content-type", content_type), ("ce_id", b"mine")], b'{"id":"theirs"}')
    assert received == Received(id="mine", data=b'{"id":"theirs"}')


@every_attribute
@pytest.mark.parametrize("raw", [None, b"\xff", b"a\0b", b"\0", b"\xc3", b"", b"\xc3\xa9"])
def test_what_is_odd_in_one_header_says_nothing_about_the_others(header: str, name: str, raw: bytes | None) -> None:
    received = read([*((one, b"x") for one in ATTRIBUTES if one != header), (header, raw)], b"{}")
    known = {b"": "", b"\xc3\xa9": "é"}.get(raw or b"") if raw is not None else None
    assert received == Received(**dict.fromkeys(ATTRIBUTES.values(), "x") | {name: known}, data=b"{}")
