"""What a good record on the command topic is read as, in every form in which it may come."""

import json
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from command_support.kafka_records import (
    COMMAND_ID,
    CREATE,
    NOTE_ID,
    UPDATE,
    Headers,
    Record,
    binary,
    created,
    structured,
    updated,
)

from notes_command.pipeline.decode import CARRIED_MAX, decode
from notes_contracts import Command, CreateNote, UpdateNote

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LONG = b"x" * CARRIED_MAX
ENVELOPE: dict[str, Any] = {"specversion": "1.0", "id": COMMAND_ID, "type": UPDATE, "data": updated()}
DATA = b'{"note_id":"%s","body":"B"}' % NOTE_ID.encode()
ENCODED = {"id": COMMAND_ID, "type": UPDATE, "data_base64": b64encode(DATA).decode()}

SAME_UPDATE = {
    "binary": binary(updated(), ce_type=UPDATE.encode()),
    "binary, said to be JSON": binary(
        updated(), ce_type=UPDATE.encode(), more=(("content-type", b"application/json"),)
    ),
    "ids in capitals": binary(
        updated(note_id=NOTE_ID.upper()),
        ce_id=COMMAND_ID.upper().encode(),
        ce_type=UPDATE.encode(),
        key=NOTE_ID.upper().encode(),
    ),
    "another subject, which is ignored": binary(updated(), ce_type=UPDATE.encode(), more=(("ce_subject", b"x"),)),
    "a broken header that nobody needs": binary(updated(), ce_type=UPDATE.encode(), more=(("x", b"\xff"), ("y", None))),
    "a byte order mark": binary(b"\xef\xbb\xbf" + DATA, ce_type=UPDATE.encode()),
    "structured": structured(ENVELOPE),
    "structured with a byte order mark": structured(b"\xef\xbb\xbf" + json.dumps(ENVELOPE).encode()),
    "structured with a charset": structured(ENVELOPE, b"application/cloudevents+json; charset=UTF-8"),
    "structured in capitals": structured(ENVELOPE, b"Application/CloudEvents+JSON"),
    "structured, headers that say otherwise": structured(ENVELOPE, more=(("ce_id", b"x"), ("ce_type", b"y"))),
    "structured with attributes nobody knows": structured({**ENVELOPE, "colour": "red"}),
    "structured in base64": structured(ENCODED),
}


def command_in(record: Record) -> Command:
    envelope = decode(record)
    assert envelope.error is None
    assert envelope.command is not None
    return envelope.command


def test_a_create_has_its_defaults_filled_in() -> None:
    assert command_in(binary(created())) == CreateNote(note_id=NOTE_ID, title="T", body="", tags=(), author=None)


@pytest.mark.parametrize("record", SAME_UPDATE.values(), ids=SAME_UPDATE.keys())
def test_every_form_of_the_same_command_is_the_same(record: Record) -> None:
    envelope = decode(record)
    plain = decode(binary(updated(), ce_type=UPDATE.encode()))
    assert envelope.command == UpdateNote(note_id=NOTE_ID, body="B", expected_version=None)
    assert (envelope.command_id, envelope.note_id, envelope.error) == (COMMAND_ID, NOTE_ID, None)
    assert envelope.digest == plain.digest


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"title": "𝔘" * 200}, {"title": "𝔘" * 200}),
        ({"title": " \n" + "x" * 200 + "\u3000"}, {"title": "x" * 200}),
        ({"body": "𝔘" * 100_000}, {"body": "𝔘" * 100_000}),
        ({"body": " kept \n"}, {"body": " kept \n"}),
        ({"author": "李" * 200}, {"author": "李" * 200}),
        ({"tags": ["B-1", "a", "b-1", "A", "0", "x" * 32]}, {"tags": ("b-1", "a", "0", "x" * 32)}),
        ({"tags": [f"T{n % 5}" for n in range(25)]}, {"tags": ("t0", "t1", "t2", "t3", "t4")}),
        ({"tags": [f"t{n}" for n in range(25)]}, {"tags": tuple(f"t{n}" for n in range(25))}),
        ({"title": "e\u0301"}, {"title": "e\u0301"}),
    ],
    ids=[
        "title",
        "trimmed",
        "body",
        "body as it is",
        "author",
        "tags",
        "repeats",
        "too many for later",
        "not composed",
    ],
)
def test_what_is_just_allowed(given: dict[str, Any], read: dict[str, Any]) -> None:
    command = command_in(binary(created(**given)))
    assert {name: getattr(command, name) for name in read} == read


@pytest.mark.parametrize("version", [0, 7, 10**30])
def test_any_whole_number_may_be_expected(version: int) -> None:
    command = command_in(binary(updated(expected_version=version), ce_type=UPDATE.encode()))
    assert isinstance(command, UpdateNote)
    assert command.expected_version == version


def test_the_digest_is_a_known_value() -> None:
    """Other teams compute it, too: type, NUL, data with defaults, sorted, without spaces, in UTF-8."""
    digest = decode(binary(created(tags=["B", "a", "b"], title=" Ü𝔘 "))).digest
    text = f'{{"author":null,"body":"","note_id":"{NOTE_ID}","tags":["b","a"],"title":"Ü𝔘"}}'
    assert digest == sha256(CREATE.encode() + b"\0" + text.encode()).hexdigest()
    assert digest == "40b44a85646cf28c9091fda4fa9fed4cf5dcd408e25275c2d2ee7752f40bd90d"


@pytest.mark.parametrize(
    ("more", "carried"),
    [
        ((), (None, None)),
        ((("ce_correlationid", b"c"), ("traceparent", TRACE.encode())), ("c", TRACE)),
        ((("ce_correlationid", b""), ("traceparent", b"anything")), ("", None)),
        ((("ce_correlationid", b"c\0"), ("traceparent", b"\xff")), (None, None)),
        ((("ce_correlationid", None), ("traceparent", None)), (None, None)),
        (
            (("ce_correlationid", b"c" * (CARRIED_MAX + 1)), ("traceparent", TRACE.encode() * 20)),
            (None, None),
        ),
    ],
    ids=["none", "both", "not valid", "unreadable", "null", "too long"],
)
def test_what_our_own_records_carry_on(more: Headers, carried: tuple[str | None, str | None]) -> None:
    envelope = decode(binary(created(), more=more))
    assert (envelope.correlationid, envelope.traceparent) == carried
    assert envelope.error is None


def test_an_envelope_carries_on_its_own_attributes() -> None:
    envelope = {**ENVELOPE, "correlationid": "c", "traceparent": TRACE, "tracestate": "a=1", "authid": "Zoë"}
    envelope = decode(structured(envelope))
    assert (envelope.correlationid, envelope.traceparent, envelope.tracestate) == ("c", TRACE, "a=1")
    assert (envelope.authtype, envelope.authid) == (None, "Zoë")


def test_who_asked_is_carried_on_if_it_is_a_text_on_one_line() -> None:
    for raw, found in ((b"anna", "anna"), (b"", None), (b"a\nb", None), (b"\xff", None), (b"x" * 257, None)):
        envelope = decode(binary(created(), more=(("ce_authid", raw), ("ce_authtype", b"user"))))
        assert (envelope.authtype, envelope.authid, envelope.error) == ("user", found, None)
