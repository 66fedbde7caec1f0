"""What a bad record on the command topic gets, as the table of the design has it. Never an exception."""

import json
from typing import Any

import pytest
from command_support.kafka_records import (
    COMMAND_ID,
    NOTE_ID,
    OTHER_ID,
    UPDATE,
    Record,
    binary,
    created,
    record,
    structured,
    updated,
)

from notes_command.adapters.kafka.decode import FAULTS_NAMED, decode
from notes_contracts import Code

CREATED = json.dumps(created()).encode()

NO_COMMAND_ID = {
    "no headers": record(CREATED),
    "no ce_id": binary(created(), ce_id=None),
    "a null ce_id": record(CREATED, headers=(("ce_id", None),)),
    "a ce_id that is no UUID": binary(created(), ce_id=b"4711"),
    "a ce_id without dashes": binary(created(), ce_id=COMMAND_ID.replace("-", "").encode()),
    "a ce_id in braces": binary(created(), ce_id=b"{%s}" % COMMAND_ID.encode()),
    "a ce_id with a new line": binary(created(), ce_id=COMMAND_ID.encode() + b"\n"),
    "a ce_id that is not UTF-8": binary(created(), ce_id=COMMAND_ID.encode() + b"\xff"),
    "a ce_id with NUL": binary(created(), ce_id=COMMAND_ID.encode() + b"\0"),
    "an envelope that is no object": structured(b"[]"),
    "an envelope that is not JSON": structured(b"{"),
    "an envelope with a number for an id": structured({"id": 7, "type": UPDATE, "data": updated()}),
    "an envelope with an endless number": structured(b'{"id":' + b"1" * 9999 + b"}"),
}

UNDECODABLE = {
    "truncated JSON": binary(CREATED[:-1]),
    "text after the JSON": binary(CREATED + b"x"),
    "an empty value": binary(b""),
    "a null value": binary(None),
    "NaN": binary(b'{"note_id":"%s","title":NaN}' % NOTE_ID.encode()),
    "Infinity": binary(b'{"note_id":"%s","title":-Infinity}' % NOTE_ID.encode()),
    "a lone surrogate": binary(b'{"note_id":"%s","title":"\\ud83d"}' % NOTE_ID.encode()),
    "invalid UTF-8": binary(b'{"note_id":"%s","title":"\xff"}' % NOTE_ID.encode()),
    "a raw NUL": binary(b'{"note_id":"%s","title":"\0"}' % NOTE_ID.encode()),
    "UTF-16": binary(CREATED.decode().encode("utf-16")),
    "JSON nested without end": binary(b"[" * 100_000),
    "a number without end": binary(b'{"note_id":' + b"1" * 9999 + b"}"),
    "an unknown command": binary(created(), ce_type=b"notes.command.shred-note.v1"),
    "an unknown version": binary(created(), ce_type=b"notes.command.create-note.v2"),
    "a type in capitals": binary(created(), ce_type=b"Notes.Command.Create-Note.v1"),
    "an event's type": binary(created(), ce_type=b"notes.event.note-created.v1"),
    "no type": binary(created(), ce_type=None),
    "an empty type": binary(created(), ce_type=b""),
    "a type that is not UTF-8": binary(created(), ce_type=b"notes.command.create-note.v1\xe4"),
    "a type with NUL": binary(created(), ce_type=b"notes.command.create-note.v1\0"),
    "an envelope without data": structured({"id": COMMAND_ID, "type": UPDATE}),
    "an envelope without a type": structured({"id": COMMAND_ID, "data": updated()}),
    "base64 that is none": structured({"id": COMMAND_ID, "type": UPDATE, "data_base64": "e30=!"}),
    "base64 that is a number": structured({"id": COMMAND_ID, "type": UPDATE, "data_base64": 7}),
    "base64 of what is not JSON": structured({"id": COMMAND_ID, "type": UPDATE, "data_base64": "/w=="}),
    "headers that name it, an envelope that does not parse": structured(
        b"{", more=(("ce_id", COMMAND_ID.encode()), ("ce_type", UPDATE.encode()))
    ),
}

INVALID: dict[str, tuple[Record, list[str]]] = {
    "a field nobody knows": (binary(created(colour="red")), ["colour"]),
    "no title": (binary({"note_id": NOTE_ID}), ["title"]),
    "no note id": (binary({"title": "T"}), ["note_id"]),
    "a note id that is none": (binary(created(note_id="x")), ["note_id"]),
    "expected_version for create": (binary(created(expected_version=1)), ["expected_version"]),
    "all fields at once": (
        binary({"note_id": 1, "title": "", "body": None, "tags": "red", "author": "", "x": 0}),
        ["note_id", "title", "body", "tags", "author", "x"],
    ),
    "not an object": (binary(b"[1]"), ["data"]),
    "null": (binary(b"null"), ["data"]),
    "an envelope whose data is null": (structured({"id": COMMAND_ID, "type": UPDATE, "data": None}), ["data"]),
    "an envelope whose data is text": (structured({"id": COMMAND_ID, "type": UPDATE, "data": "{}"}), ["data"]),
    "a title of blanks": (binary(created(title=" \t\n\u00a0\u3000")), ["title"]),
    "a title of 201 characters": (binary(created(title="𝔘" * 201)), ["title"]),
    "a title with NUL": (binary(created(title="a\0b")), ["title"]),
    "a body of 100,001 characters": (binary(created(body="x" * 100_001)), ["body"]),
    "a body with NUL": (binary(created(body="\0")), ["body"]),
    "an empty author": (binary(created(author="")), ["author"]),
    "an author of 201 characters": (binary(created(author="x" * 201)), ["author"]),
    "an author with NUL": (binary(created(author="\0")), ["author"]),
    "tags that are none": (
        binary(created(tags=["ok", "-a", "a b", "ä", "a\n", "", "x" * 33])),
        [f"tags.{n}" for n in range(1, 7)],
    ),
    "a tag that is a number": (binary(created(tags=[1])), ["tags.0"]),
    "tags that are null": (binary(created(tags=None)), ["tags"]),
    "no key": (binary(created(), key=None), ["key"]),
    "an empty key": (binary(created(), key=b""), ["key"]),
    "the key of another note": (binary(created(), key=OTHER_ID.encode()), ["key"]),
    "a key that is not UTF-8": (binary(created(), key=b"\xff" * 36), ["key"]),
    **{
        f"expected_version {text}": (
            binary(
                b'{"note_id":"%s","body":"B","expected_version":%s}' % (NOTE_ID.encode(), text.encode()),
                ce_type=UPDATE.encode(),
            ),
            ["expected_version"],
        )
        for text in ('"3"', "true", "3.0", "3.5", "1e2", "1e400", "[3]", "{}")
    },
}


@pytest.mark.parametrize("bad", NO_COMMAND_ID.values(), ids=NO_COMMAND_ID.keys())
def test_without_a_readable_command_id_it_is_undecodable_and_nobody_can_be_answered(bad: Record) -> None:
    incoming = decode(bad)
    assert incoming.fault is not None
    assert (incoming.command_id, incoming.command, incoming.fault.code) == (None, None, Code.UNDECODABLE)


@pytest.mark.parametrize("bad", UNDECODABLE.values(), ids=UNDECODABLE.keys())
def test_what_cannot_be_read_is_undecodable_under_its_command_id(bad: Record) -> None:
    incoming = decode(bad)
    assert incoming.fault is not None
    assert (incoming.command_id, incoming.command, incoming.fault.code) == (COMMAND_ID, None, Code.UNDECODABLE)
    assert incoming.digest is None
    assert "\0" not in incoming.fault.message


@pytest.mark.parametrize(("bad", "named"), INVALID.values(), ids=INVALID.keys())
def test_what_does_not_validate_is_invalid_and_names_every_field(bad: Record, named: list[str]) -> None:
    incoming = decode(bad)
    assert incoming.fault is not None
    assert (incoming.command_id, incoming.command, incoming.fault.code) == (COMMAND_ID, None, Code.INVALID)
    assert incoming.digest is None
    assert [part.split(":")[0] for part in incoming.fault.message.split("; ")] == named


def test_the_message_of_a_hostile_command_stays_short() -> None:
    fields: dict[str, Any] = {f"x\0{n:03}" + "y" * 1000: 1 for n in range(500)}
    fault = decode(binary(created(**fields))).fault
    assert fault is not None
    assert fault.message.endswith("and 480 more")
    assert len(fault.message) < FAULTS_NAMED * 200
    assert "\0" not in fault.message


def test_the_name_of_a_hostile_type_stays_short() -> None:
    fault = decode(binary(created(), ce_type=b"t" * 100_000)).fault
    assert fault is not None
    assert len(fault.message) < 300


@pytest.mark.parametrize(
    ("bad", "note_id"),
    [
        (binary(created(note_id=OTHER_ID.upper(), x=1)), OTHER_ID),
        (binary(created(note_id="x")), NOTE_ID),
        (binary(b"{"), NOTE_ID),
        (binary(None), NOTE_ID),
        (binary(b"[]", key=NOTE_ID.upper().encode()), NOTE_ID),
        (binary(b'{"note_id": [1]}', key=b"\xff"), None),
        (binary(b"{", key=None), None),
        (binary(created(note_id=OTHER_ID), ce_id=b"?"), OTHER_ID),
    ],
)
def test_the_note_is_the_one_in_the_data_else_in_the_key(bad: Record, note_id: str | None) -> None:
    assert decode(bad).note_id == note_id


def test_the_record_is_kept_as_it_came() -> None:
    headers = (("ce_id", b"\xff"), ("n", None), ("twice", b"1"), ("twice", b"2"))
    bad = record(b"\xff\0", key=b"\xfe", headers=headers, partition=5, offset=2**40)
    source = decode(bad).source
    assert (source.topic, source.partition, source.offset) == ("notes.commands", 5, 2**40)
    assert (source.key, source.value, source.headers) == (b"\xfe", b"\xff\0", headers)
