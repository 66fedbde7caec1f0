"""Nothing that a sender wrote stands in what decoding says, but for names of fields and of types."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from command_support.kafka_records import COMMAND_ID, CREATE, NOTE_ID, Record, created, record

from notes_command.pipeline.decode import decode
from notes_contracts import Code

MARK: Final = "mark of a secret"
ENVELOPE: Final = {"specversion": "1.0", "id": COMMAND_ID, "type": CREATE, "data": created()}
ENVELOPED: Final = (("content-type", b"application/cloudevents+json"),)
BINARY: Final = {"ce_id": COMMAND_ID, "ce_type": CREATE, "content-type": "application/json", "traceparent": "", "x": ""}
FIELDS: Final = ("note_id", "title", "body", "tags", "author", "expected_version")
WRONG: Final[tuple[Any, ...]] = (
    MARK,
    MARK + "\0",
    MARK * 10_000,
    [MARK],
    [[MARK]],
    {"b": MARK},
    {"a": {MARK: [MARK]}},
)


def marked() -> Iterator[tuple[str, Record]]:
    headers = tuple((name, text.encode()) for name, text in BINARY.items())
    for name in BINARY:
        for raw in (MARK.encode(), b"\xff" + MARK.encode(), MARK.encode() + b"\0"):
            yield f"header {name}", record(json.dumps(created()).encode(), headers=(*headers, (name, raw)))
        renamed = tuple((MARK if name == other else other, raw) for other, raw in headers)
        yield f"a name instead of {name}", record(json.dumps(created()).encode(), headers=renamed)
    for field in FIELDS:
        for wrong in WRONG:
            yield f"field {field}", record(json.dumps(created(**{field: wrong})).encode(), headers=headers)
    for name in ENVELOPE:
        for wrong in WRONG:
            value = json.dumps({**ENVELOPE, name: wrong}).encode()
            yield f"attribute {name}", record(value, headers=ENVELOPED)
    for raw in ('{"title":"%s', "{%s", '{"%s"', '"%s', '["%s"', "%s", '{"title":"%s\\ud800"}', '{"a":"\\x%s"}'):
        yield f"not JSON {raw}", record((raw % MARK).encode(), headers=headers)
        yield f"no envelope {raw}", record((raw % MARK).encode(), headers=(*headers, *ENVELOPED))
    yield "key", record(json.dumps(created()).encode(), key=MARK.encode(), headers=headers)
    yield "value", record(MARK.encode(), headers=headers)
    yield "no id", record(MARK.encode(), key=MARK.encode(), headers=((MARK, MARK.encode()),))


MARKED: Final = list(marked())


@pytest.mark.parametrize("bad", [bad for _, bad in MARKED], ids=[name for name, _ in MARKED])
def test_no_text_of_the_sender_is_repeated(bad: Record) -> None:
    envelope = decode(bad)
    said = (envelope.error, envelope.command_id, envelope.note_id, envelope.traceparent, envelope.tracestate)
    assert MARK not in repr(said)


def test_most_of_them_are_refused() -> None:
    assert sum(decode(bad).error is not None for _, bad in MARKED) > 0.7 * len(MARKED)


def test_the_name_of_an_unknown_field_is_named_short_and_never_in_a_dead_letter() -> None:
    headers = (("ce_id", COMMAND_ID.encode()), ("ce_type", CREATE.encode()))
    error = decode(record(json.dumps(created(**{MARK + "\n" + "x" * 1000: 1})).encode(), headers=headers)).error
    assert error is not None
    assert error.code is Code.INVALID
    assert error.message.startswith(MARK + "\N{REPLACEMENT CHARACTER}xx")
    assert len(error.message) < 120


def test_a_type_that_is_no_name_is_not_repeated() -> None:
    headers = (("ce_id", COMMAND_ID.encode()), ("ce_type", b"notes.command.create-note.v2"))
    error = decode(record(b"{}", headers=headers, key=NOTE_ID.encode())).error
    assert error is not None
    assert error.message == "unknown type 'notes.command.create-note.v2'"
    error = decode(record(b"{}", headers=(headers[0], ("ce_type", f"{CREATE} {MARK}".encode())))).error
    assert error is not None
    assert error.message == "unknown type"
