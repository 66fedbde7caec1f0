"""Records that no command topic should hold, by what each of them gets. All have one command id."""

import json
from typing import Final

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

CREATED = json.dumps(created()).encode()

NO_COMMAND_ID: Final = {
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
"""Dead-lettered; nobody can be answered."""
UNDECODABLE: Final = {
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
    "an envelope without a type": structured({"id": COMMAND_ID, "data": updated()}),
    "base64 that is none": structured({"id": COMMAND_ID, "type": UPDATE, "data_base64": "e30=!"}),
    "base64 that is a number": structured({"id": COMMAND_ID, "type": UPDATE, "data_base64": 7}),
    "base64 of what is not JSON": structured({"id": COMMAND_ID, "type": UPDATE, "data_base64": "/w=="}),
    "headers that name it, an envelope that does not parse": structured(
        b"{", more=(("ce_id", COMMAND_ID.encode()), ("ce_type", UPDATE.encode()))
    ),
}
"""Failed, and dead-lettered."""
INVALID: Final[dict[str, tuple[Record, list[str]]]] = {
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
    "an envelope without data": (structured({"id": COMMAND_ID, "type": UPDATE}), ["data"]),
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
"""Rejected, naming these fields in this order."""
