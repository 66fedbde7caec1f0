"""What a bad record on the command topic gets, as `bad_records.py` has it. Never an exception."""

import json
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from command_support.bad_records import INVALID, NO_COMMAND_ID, UNDECODABLE
from command_support.kafka_records import (
    COMMAND_ID,
    CREATE,
    NOTE_ID,
    OTHER_ID,
    Record,
    binary,
    created,
    record,
    structured,
)
from pydantic_core import from_json

from notes_command.pipeline.decode import decode
from notes_contracts import Code
from notes_contracts.fields import FAULTS_NAMED


@pytest.mark.parametrize("bad", NO_COMMAND_ID.values(), ids=NO_COMMAND_ID.keys())
def test_without_a_readable_command_id_it_is_undecodable_and_nobody_can_be_answered(bad: Record) -> None:
    envelope = decode(bad)
    assert envelope.error is not None
    assert (envelope.command_id, envelope.command, envelope.error.code) == (None, None, Code.UNDECODABLE)


@pytest.mark.parametrize("bad", UNDECODABLE.values(), ids=UNDECODABLE.keys())
def test_what_cannot_be_read_is_undecodable_under_its_command_id(bad: Record) -> None:
    envelope = decode(bad)
    assert envelope.error is not None
    assert (envelope.command_id, envelope.command, envelope.error.code) == (COMMAND_ID, None, Code.UNDECODABLE)
    assert envelope.digest is None
    assert "\0" not in envelope.error.message


@pytest.mark.parametrize(("bad", "named"), INVALID.values(), ids=INVALID.keys())
def test_what_does_not_validate_is_invalid_and_names_every_field(bad: Record, named: list[str]) -> None:
    envelope = decode(bad)
    assert envelope.error is not None
    assert (envelope.command_id, envelope.command, envelope.error.code) == (COMMAND_ID, None, Code.INVALID)
    assert envelope.digest is None
    assert [part.split(":")[0] for part in envelope.error.message.split("; ")] == named


def test_the_message_of_a_hostile_command_stays_short() -> None:
    fields: dict[str, Any] = {f"x\0{n:03}" + "y" * 1000: 1 for n in range(500)}
    error = decode(binary(created(**fields))).error
    assert error is not None
    assert error.message.endswith("there may be more")
    assert len(error.message) < FAULTS_NAMED * 200
    assert "\0" not in error.message


def test_the_name_of_a_hostile_type_stays_short() -> None:
    error = decode(binary(created(), ce_type=b"t" * 100_000)).error
    assert error is not None
    assert len(error.message) < 300


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


TAGS = json.dumps(created(tags=["!?+"] * 110_000)).encode()
COSTLY = {
    "bad tags": (binary(TAGS), TAGS),
    "bad tags in an envelope": (structured({"id": COMMAND_ID, "type": CREATE, "data": json.loads(TAGS)}), TAGS),
    "in base64": (structured({"id": COMMAND_ID, "type": CREATE, "data_base64": b64encode(TAGS).decode()}), TAGS),
    "without an id": (binary(TAGS, ce_id=None), TAGS),
    "of an unknown type": (binary(TAGS, ce_type=b"x"), TAGS),
    "many headers": (binary(created(), ce_id=None, more=(("h", b"v"),) * 30_000), TAGS),
}


@pytest.mark.parametrize(("bad", "read"), COSTLY.values(), ids=COSTLY.keys())
def test_refusing_a_record_costs_about_what_reading_it_costs(bad: Record, read: bytes) -> None:
    """As many bad tags took 180 times as long."""
    assert cpu(lambda: decode(bad)) < 12 * cpu(lambda: from_json(read)) + 0.01
    error = decode(bad).error
    assert error is not None
    assert len(error.message) < 3_000


def cpu(step: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        started = time.process_time()
        step()
        times.append(time.process_time() - started)
    return min(times)
