"""What command-service writes for the golden commands is the golden events and outcomes, byte for byte."""

from datetime import UTC, datetime
from typing import Final

import pytest
from aiokafka.partitioner import DefaultPartitioner

from notes_command.outbox.row import OutboxRow, Record
from notes_command.outbox.store import _record
from notes_command.pipeline.decide import DecisionContext, Result, decide_batch
from notes_command.pipeline.decode import Envelope, decode
from notes_command.pipeline.rows import Topics, rows_of
from notes_command.snapshots.republish import snapshot_row
from notes_contracts import COMMANDS, EVENTS, OUTCOMES
from tests.contract.golden_file import Golden, as_consumed, golden

UPDATE: Final = "notes.command.update-note.v1"
CREATED: Final = "notes.event.note-created.v1"
ACCEPTED, REJECTED, FAILED = OUTCOMES
CHANGES: Final = {
    "notes.command.create-note.v1": CREATED,
    UPDATE: "notes.event.note-updated.v1",
    "notes.command.rename-note.v1": "notes.event.note-renamed.v1",
    "notes.command.tag-note.v1": "notes.event.note-tagged.v1",
    "notes.command.untag-note.v1": "notes.event.note-untagged.v1",
    "notes.command.archive-note.v1": "notes.event.note-archived.v1",
    "notes.command.restore-note.v1": "notes.event.note-restored.v1",
    "notes.command.delete-note.v1": "notes.event.note-deleted.v1",
}
"""What the golden commands come to, in the order in which they happen to the golden note."""
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
TOPICS = Topics("events", "outcomes", "dead-letters")
SELECTED: Final = (
    *("id", "aggregateid", "type", "payload", "topic", "shard", "time", "subject", "sequence", "correlationid"),
    *("causationid", "traceparent", "key", "headers", "authtype", "authid"),
)
"""The columns that the relay reads, in its order, between the position and whether the note is parked."""


def command(type_: str, value: bytes, key: bytes, id_: str) -> Envelope:
    headers = (("ce_id", id_.encode()), ("ce_type", type_.encode()))
    return decode(as_consumed(Golden(key, headers, value), "notes.commands"))


def id_of(name: str) -> str:
    return golden(name).attributes["ce_id"].decode()


def cause_of(name: str) -> str:
    return golden(name).attributes["ce_causationid"].decode()


def records_of(rows: list[OutboxRow]) -> list[Record]:
    """Return what the relay sends of these rows."""
    return [
        _record([position, *(getattr(row, name) for name in SELECTED), False])
        for position, row in enumerate(rows, start=1)
    ]


def decided(batch: list[Envelope], new_ids: list[str]) -> Result:
    """Return what these records come to, in one batch on an empty store."""
    ids = iter(new_ids)
    return decide_batch(batch, DecisionContext({}, {}, NOW), lambda: next(ids))


def sent(batch: list[Envelope], new_ids: list[str]) -> list[Record]:
    return records_of(rows_of(decided(batch, new_ids).messages, TOPICS))


def story() -> dict[str, Record]:
    """A note is created, updated, updated again with a stale version, painted, which nobody knows how to do, and
    goes through everything else that can happen to a note; a snapshot is taken while it is archived."""
    update = golden(UPDATE)
    batch, new_ids = [], []
    for command_type, event_type in CHANGES.items():
        batch.append(decode(as_consumed(golden(command_type), "notes.commands")))
        new_ids += [id_of(event_type), f"outcome of {command_type}" if event_type != CREATED else id_of(ACCEPTED)]
        if command_type == UPDATE:
            batch.append(command(UPDATE, update.value, update.key, cause_of(REJECTED)))
            batch.append(command("notes.command.paint-note.v1", update.value, update.key, cause_of(FAILED)))
            new_ids += [id_of(REJECTED), id_of(FAILED)]
    records = sent(batch, new_ids)
    archived = list(CHANGES.values()).index("notes.event.note-archived.v1")
    (note,) = decided(batch[: archived + 3], new_ids).created.values()
    records += records_of([snapshot_row(note, TOPICS.events)])
    by_id = {dict(record.headers)["ce_id"]: record for record in records}
    return {name: by_id[id_of(name).encode()] for name in (*EVENTS, *OUTCOMES)}


@pytest.mark.parametrize("name", [*EVENTS, *OUTCOMES])
def test_every_event_and_outcome_leaves_as_its_golden_message(name: str) -> None:
    record, message = story()[name], golden(name)
    assert record.value == message.value
    assert record.key == message.key
    assert sorted(record.headers) == sorted(message.headers)
    assert record.topic == ("events" if name in EVENTS else "outcomes")


def test_every_command_has_its_part_in_the_story() -> None:
    assert set(CHANGES) == set(COMMANDS)


def test_the_partition_is_where_any_kafka_client_would_put_the_key() -> None:
    partitions = list(range(12))
    for record in story().values():
        assert record.partition == DefaultPartitioner()(record.key, partitions, partitions)


def test_the_state_of_a_trace_is_continued_beside_all_other_headers() -> None:
    message = golden(UPDATE)
    plain = decode(as_consumed(message, "notes.commands"))
    stated = plain._replace(tracestate="vendor=1")
    assert plain.traceparent is not None
    for without, with_it in zip(sent([plain], ["e", "o"]), sent([stated], ["e", "o"]), strict=True):
        assert [*with_it.headers] == [*without.headers, ("tracestate", b"vendor=1")]
        assert (with_it.key, with_it.value, with_it.partition) == (without.key, without.value, without.partition)


def test_an_outcome_without_a_note_is_keyed_by_its_command() -> None:
    id_ = cause_of("notes.outcome.failed.v1")
    (record,) = sent([command("notes.command.create-note.v1", b"[]", b"no id", id_)], ["an outcome's id"])
    assert record.key == id_.encode()
    assert record.value is not None
    assert record.value.startswith(f'{{"command_id":"{id_}","note_id":null,"status":"rejected",'.encode())
    assert not {"ce_subject", "ce_sequence"} & {name for name, _ in record.headers}
