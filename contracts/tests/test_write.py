"""Binary mode, written: attributes in headers, data as the value."""

from notes_contracts import Code, CreateNote, NoteCreated, Outcome, OutcomeError, UpdateNote, headers_of, write

NOTE = "5f0c1e9a-7b1d-4c53-9a52-0d8f3b6a7e11"
ID = "7d2f6a10-94c8-4be5-a1f3-5c0e8b7d9a21"
CAUSE = "31b5c8de-0f6a-4d2c-9e87-64a1f0b3d952"
AT = "2026-01-02T03:04:05.678Z"


def outcome(note_id: str | None = NOTE, version: int | None = 3, error: OutcomeError | None = None) -> Outcome:
    return Outcome(
        command_id=CAUSE,
        note_id=note_id,
        status="accepted" if error is None else "failed",
        version=version,
        error=error,
        at=AT,
        digest=None,
    )


def test_a_command_carries_its_attributes_in_headers() -> None:
    written = write(
        UpdateNote(note_id=NOTE, body="World"),
        id=ID,
        source="/upstream",
        time=AT,
        correlationid="order 4711",
        causationid=CAUSE,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    assert dict(written.headers) == {
        "ce_specversion": b"1.0",
        "content-type": b"application/json",
        "ce_id": ID.encode(),
        "ce_type": b"notes.command.update-note.v1",
        "ce_source": b"/upstream",
        "ce_time": AT.encode(),
        "ce_subject": NOTE.encode(),
        "ce_correlationid": b"order 4711",
        "ce_causationid": CAUSE.encode(),
        "traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    assert len(written.headers) == len(dict(written.headers))


def test_an_attribute_that_is_not_given_is_left_out() -> None:
    written = write(CreateNote(note_id=NOTE, title="Hello"), id=ID)
    assert set(dict(written.headers)) == {"ce_specversion", "content-type", "ce_id", "ce_type", "ce_subject"}


def test_the_key_is_the_note_id_in_lower_case() -> None:
    written = write(CreateNote.model_validate({"note_id": NOTE.upper(), "title": "Hello"}), id=ID)
    assert written.key == NOTE.encode()


def test_the_value_is_json_in_utf8_without_escaping_and_without_spaces() -> None:
    written = write(CreateNote(note_id=NOTE, title="Grüße 🚲", body='a "b"\n\\/', tags=("x",)), id=ID)
    assert written.value == (
        f'{{"note_id":"{NOTE}","title":"Grüße 🚲","body":"a \\"b\\"\\n\\\\/","tags":["x"],"author":null}}'.encode()
    )


def test_an_event_carries_its_version_as_the_sequence() -> None:
    event = NoteCreated(note_id=NOTE, version=1, occurred_at=AT, title="Hello", body="", tags=(), author=None)
    headers = dict(write(event, id=ID).headers)
    assert headers["ce_type"] == b"notes.event.note-created.v1"
    assert headers["ce_sequence"] == b"1"


def test_an_outcome_is_typed_by_its_status() -> None:
    headers = dict(write(outcome(), id=ID).headers)
    assert (headers["ce_type"], headers["ce_sequence"]) == (b"notes.outcome.accepted.v1", b"3")


def test_an_outcome_without_a_note_is_keyed_by_its_command_and_has_no_subject() -> None:
    written = write(outcome(None, None, OutcomeError(code=Code.UNDECODABLE, message="not JSON")), id=ID)
    assert written.key == CAUSE.encode()
    assert not {"ce_subject", "ce_sequence"} & set(dict(written.headers))
    assert b'"note_id":null' in written.value
    assert b'"error":{"code":"undecodable","message":"not JSON"}' in written.value


def test_sequence_zero_is_written() -> None:
    # Nobody has a version 0 today; left out by mistake, it would pass for "has none".
    assert dict(headers_of(id=ID, type="t", sequence=0))["ce_sequence"] == b"0"
