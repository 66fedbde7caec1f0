"""What command-service writes for the golden commands is the golden events and outcomes, byte for byte."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import pytest
from aiokafka.partitioner import DefaultPartitioner

from notes_command.adapters.kafka.decode import decode
from notes_command.adapters.messages import Topics, rows_of
from notes_command.adapters.postgres.outbox import _record
from notes_command.application.decide_batch import Present, decide_batch
from notes_command.application.incoming import Incoming
from notes_command.application.relay_ports import Record
from notes_contracts import EVENTS, OUTCOMES
from tests.contract.golden_file import Golden, as_consumed, golden

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
TOPICS = Topics("events", "outcomes", "dead-letters")
SELECTED: Final = (
    *("id", "aggregateid", "type", "payload", "topic", "shard", "time", "subject", "sequence", "correlationid"),
    *("causationid", "traceparent", "key", "headers"),
)
"""The columns that the relay reads, in its order, after the position."""


def command(type_: str, value: bytes, key: bytes, id_: str) -> Incoming:
    headers = (("ce_id", id_.encode()), ("ce_type", type_.encode()))
    return decode(as_consumed(Golden(key, headers, value), "notes.commands"))


def id_of(name: str) -> str:
    return golden(name).attributes["ce_id"].decode()


def cause_of(name: str) -> str:
    return golden(name).attributes["ce_causationid"].decode()


def sent(batch: list[Incoming], new_ids: list[str]) -> list[Record]:
    """Return what the relay sends when these records came in one batch on an empty store."""
    ids = iter(new_ids)
    result = decide_batch(batch, Present({}, {}, NOW), lambda: next(ids))
    rows = [asdict(row) for row in rows_of(result.messages, TOPICS)]
    return [_record([position, *(row[name] for name in SELECTED)]) for position, row in enumerate(rows)]


def story() -> dict[str, Record]:
    """A note is created, updated, updated again with a stale version, and painted, which nobody knows how to do."""
    create, update = golden("notes.command.create-note.v1"), golden("notes.command.update-note.v1")
    rejected, failed = "notes.outcome.rejected.v1", "notes.outcome.failed.v1"
    batch = [
        decode(as_consumed(create, "notes.commands")),
        decode(as_consumed(update, "notes.commands")),
        command("notes.command.update-note.v1", update.value, update.key, cause_of(rejected)),
        command("notes.command.paint-note.v1", update.value, update.key, cause_of(failed)),
    ]
    created, updated = id_of("notes.event.note-created.v1"), id_of("notes.event.note-updated.v1")
    new_ids = [created, id_of("notes.outcome.accepted.v1"), updated, "second", id_of(rejected), id_of(failed)]
    by_id = {dict(record.headers)["ce_id"]: record for record in sent(batch, new_ids)}
    return {name: by_id[id_of(name).encode()] for name in (*EVENTS, *OUTCOMES) if id_of(name).encode() in by_id}


@pytest.mark.parametrize("name", [*EVENTS, *OUTCOMES])
def test_every_event_and_outcome_leaves_as_its_golden_message(name: str) -> None:
    record, message = story()[name], golden(name)
    assert record.value == message.value
    assert record.key == message.key
    assert sorted(record.headers) == sorted(message.headers)
    assert record.topic == ("events" if name in EVENTS else "outcomes")


def test_the_partition_is_where_any_kafka_client_would_put_the_key() -> None:
    partitions = list(range(12))
    for record in story().values():
        assert record.partition == DefaultPartitioner()(record.key, partitions, partitions)


def test_an_outcome_without_a_note_is_keyed_by_its_command() -> None:
    id_ = cause_of("notes.outcome.failed.v1")
    (record,) = sent([command("notes.command.create-note.v1", b"[]", b"no id", id_)], ["an outcome's id"])
    assert record.key == id_.encode()
    assert record.value is not None
    assert record.value.startswith(f'{{"command_id":"{id_}","note_id":null,"status":"rejected",'.encode())
    assert not {"ce_subject", "ce_sequence"} & {name for name, _ in record.headers}
