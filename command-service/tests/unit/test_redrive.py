"""A dead letter on its way back: the same record under an id that follows from the old one."""

import json
from typing import Any
from uuid import UUID, uuid5

import pytest
from command_support.builders import dead_letter, new_id, source
from command_support.kafka_records import CREATE, Record, binary, created, structured
from command_support.stored_dead_letters import stored_dead_letter

from notes_command.dead_letters.dead_letter import Redriven, StoredDeadLetter, next_id, redrive
from notes_command.outbox.row import unpack_headers
from notes_command.pipeline.decode import Envelope, Source, decode, type_in
from notes_command.pipeline.rows import dead_letter_row

STRUCTURED = "application/cloudevents+json"


def kept(record: Record, **changes: Any) -> StoredDeadLetter:
    """Return the letter that the record becomes."""
    envelope = decode(record)
    fields = {"source": envelope.source, "command_id": envelope.command_id, "note_id": envelope.note_id}
    return stored_dead_letter(**{**fields, **changes})


def arrived(again: Redriven, record: Record) -> Envelope:
    """Return what the consumer makes of what was sent back."""
    record.headers, record.value = again.headers, again.value
    return decode(record)


def test_the_new_id_follows_from_the_old_one() -> None:
    command_id = new_id()
    assert next_id(stored_dead_letter(command_id=command_id)) == str(uuid5(UUID(command_id), "redrive"))


def test_what_failed_again_is_sent_back_under_a_third_id() -> None:
    first = new_id()
    second = next_id(stored_dead_letter(command_id=first))
    third = next_id(stored_dead_letter(command_id=second))
    assert len({first, second, third}) == 3


def test_without_an_id_topic_partition_and_offset_make_one() -> None:
    places = [source(partition=1, offset=11), source(partition=11, offset=1), source(partition=1, offset=11)]
    ids = [next_id(stored_dead_letter(command_id=None, source=one)) for one in places]
    assert ids[0] == ids[2] != ids[1]
    assert UUID(ids[0]).version == 5


def test_a_binary_record_goes_back_as_it_came_under_its_new_id() -> None:
    record = binary(created(title="𝔘"), more=(("traceparent", b"00-1"), ("mine", None), ("mine", b"\xff")))
    one = kept(record)
    again = redrive(one)
    assert again.value == record.value
    assert [pair for pair in again.headers if pair[0] in ("ce_type", "traceparent", "mine")] == [
        ("ce_type", CREATE.encode()),
        ("traceparent", b"00-1"),
        ("mine", None),
        ("mine", b"\xff"),
    ]
    assert [value for name, value in again.headers if name == "redrive-of"] == [str(one.command_id).encode()]
    envelope = arrived(again, record)
    assert (envelope.command_id, envelope.error) == (next_id(one), None)


def test_of_many_ids_none_is_left() -> None:
    record = binary(created(), more=(("ce_id", new_id().encode()), ("ce_id", b"\xff")))
    again = redrive(kept(record, command_id=None))
    assert [name for name, _ in again.headers].count("ce_id") == 1
    assert arrived(again, record).command_id == again.command_id


@pytest.mark.parametrize("content_type", [STRUCTURED.encode(), b"Application/CloudEvents+JSON; charset=utf-8"])
def test_the_id_of_a_structured_record_is_in_its_envelope(content_type: bytes) -> None:
    envelope = {"specversion": "1.0", "id": new_id(), "type": CREATE, "data": created(title="𝔘"), "mine": [1, None]}
    record = structured(envelope, content_type)
    one = kept(record)
    assert one.command_id == envelope["id"]
    again = redrive(one)
    assert json.loads(again.value or b"") == {
        **envelope, "id": next_id(one), "source": "/notes/command-service",
    }  # fmt: skip
    envelope = arrived(again, record)
    assert (envelope.command_id, envelope.error) == (next_id(one), None)


def test_a_structured_record_without_an_id_gets_one() -> None:
    record = structured({"type": CREATE, "data": created()})
    one = kept(record)
    assert one.command_id is None
    envelope = arrived(redrive(one), record)
    assert (envelope.command_id, envelope.error) == (next_id(one), None)


def test_a_number_that_is_infinite_once_it_is_read_stays_json() -> None:
    record = structured({"id": new_id(), "type": CREATE, "data": created(), "weight": 0})
    record.value = (record.value or b"").replace(b'"weight": 0', b'"weight": 1e400')
    one = kept(record)
    assert one.command_id is not None
    again = redrive(one)
    assert b"1e" in (again.value or b"")
    envelope = arrived(again, record)
    assert (envelope.command_id, envelope.error) == (next_id(one), None)


@pytest.mark.parametrize("value", [b"{", b"[]", b"", None, b'{"id": "\\ud800"}'])
def test_an_envelope_that_cannot_be_read_is_left_as_it_is_and_the_header_has_the_id(value: bytes | None) -> None:
    record = structured(value or b"", more=(("ce_id", new_id().encode()),))
    record.value = value
    again = redrive(kept(record))
    assert again.value == value
    assert arrived(again, record).command_id == again.command_id


@pytest.mark.parametrize(
    "content_type", [b"application/json", b"\xff", STRUCTURED.encode() + b"\0", STRUCTURED.encode() + b"\xff", None]
)
def test_a_value_is_only_rewritten_where_it_is_an_envelope(content_type: bytes | None) -> None:
    value = json.dumps({**created(), "id": "mine"}).encode()
    record = binary(value, more=(("content-type", content_type),))
    again = redrive(kept(record))
    assert again.value == value
    assert arrived(again, record).command_id == again.command_id


def test_what_a_dead_letter_was_given_is_not_sent_back_and_not_stacked() -> None:
    """A record that was copied back from the dead-letter topic by hand fails, is redriven, and fails again."""
    row = dead_letter_row(dead_letter(source=source(headers=(("mine", b"1"), ("redrive-of", b"older")))), "letters")
    headers = tuple(unpack_headers(row.headers or b""))
    again = redrive(stored_dead_letter(source=source(headers=headers), command_id=None))
    assert sorted(name for name, _ in again.headers) == ["ce_id", "ce_source", "ce_specversion", "mine", "redrive-of"]
    assert b"older" not in [value for _, value in again.headers]
    failed = dead_letter_row(dead_letter(source=source(headers=again.headers)), "letters")
    names = [name for name, _ in unpack_headers(failed.headers or b"")]
    assert len(names) == len(set(names)) == 11


def test_a_dead_letter_without_an_id_is_named_by_where_it_was() -> None:
    one = stored_dead_letter(command_id=None, source=source(partition=3, offset=17))
    assert dict(redrive(one).headers)["redrive-of"] == b"notes.commands:3:17"


def test_the_type_is_known_as_far_as_the_record_tells() -> None:
    def told(value: bytes | None, *headers: tuple[str, bytes | None]) -> str | None:
        return type_in(Source("t", 0, 0, None, value, headers))

    assert told(None, ("ce_type", CREATE.encode())) == CREATE
    assert told(b'{"type": "x"}', ("content-type", STRUCTURED.encode())) == "x"
    assert told(None, ("ce_type", b"\xff")) is None
    assert told(None) is None
    assert told(None, ("ce_type", b"y" * 500)) == "y" * 200
