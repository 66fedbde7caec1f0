"""Events, outcomes and dead letters as rows of the outbox: what is written here is what Kafka gets, byte for byte."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic_core import to_json

from notes_command.domain import events
from notes_command.domain.note import Note
from notes_command.outbox.row import OutboxRow, pack_headers, row_headers
from notes_command.pipeline.envelope import DeadLetter, EventMessage, OutcomeMessage
from notes_contracts import EVENTS, format_time, outcome_type, partition_of, snapshot_id
from notes_contracts.topics import PARTITIONS

DEAD_LETTER_IDS: Final = UUID("0a6a3f0e-6f0f-5c60-9d2b-5d1c7f4f5a11")

EVENT_TYPES: Final = MappingProxyType[type[events.Event], str](
    {
        events.NoteCreated: "notes.event.note-created.v1",
        events.NoteUpdated: "notes.event.note-updated.v1",
        events.NoteRenamed: "notes.event.note-renamed.v1",
        events.NoteTagged: "notes.event.note-tagged.v1",
        events.NoteUntagged: "notes.event.note-untagged.v1",
        events.NoteArchived: "notes.event.note-archived.v1",
        events.NoteRestored: "notes.event.note-restored.v1",
        events.NoteDeleted: "notes.event.note-deleted.v1",
        events.NoteSnapshotted: "notes.event.note-snapshotted.v1",
    }
)
if set(EVENT_TYPES.values()) != set(EVENTS):
    raise ImportError(f"events and contracts differ: {set(EVENT_TYPES.values()) ^ set(EVENTS)}")


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the topics written to; names are settings."""

    events: str
    outcomes: str
    dead_letters: str


def rows_of(messages: list[EventMessage | OutcomeMessage], topics: Topics) -> list[OutboxRow]:
    """Return the rows of events and outcomes, in order."""
    shards: dict[str, int] = {}
    return [
        _event_row(message, topics.events, shards)
        if isinstance(message, EventMessage)
        else _outcome_row(message, topics.outcomes, shards)
        for message in messages
    ]


def dead_letter_row(dead_letter: DeadLetter, topic: str) -> OutboxRow:
    """Return the row of a dead letter: the original value, key and headers, and the headers that say why."""
    source = dead_letter.source
    added = {
        "dead-letter-code": dead_letter.code,
        "dead-letter-reason": dead_letter.reason,
        "dead-letter-topic": source.topic,
        "dead-letter-partition": str(source.partition),
        "dead-letter-offset": str(source.offset),
        "dead-letter-time": format_time(dead_letter.at),
    }
    kept = [pair for pair in source.headers if pair[0] not in added]
    position = f"{source.topic}:{source.partition}:{source.offset}"
    return OutboxRow(
        id=str(uuid5(DEAD_LETTER_IDS, position)),
        aggregatetype="dead-letter",
        aggregateid=dead_letter.note_id or dead_letter.command_id or position,
        type="dead-letter",
        payload=source.value,
        topic=topic,
        shard=0,
        time=dead_letter.at,
        causationid=dead_letter.command_id,
        key=source.key,
        headers=pack_headers([*kept, *((name, text.encode()) for name, text in added.items())]),
    )


def snapshot_row(note: Note, topic: str) -> OutboxRow:
    """Return the row of a note's snapshot; its id follows from the version, so that repeats are equal."""
    event = note.snapshot()
    return OutboxRow(
        id=snapshot_id(note.id, note.version),
        aggregatetype="note",
        aggregateid=note.id,
        type=EVENT_TYPES[type(event)],
        payload=_ENCODE[type(event)](event),
        topic=topic,
        shard=partition_of(note.id.encode(), PARTITIONS),
        time=event.occurred_at,
        subject=note.id,
        sequence=note.version,
    )


def _event_row(message: EventMessage, topic: str, shards: dict[str, int]) -> OutboxRow:
    event, cause = message.event, message.cause
    row = OutboxRow(
        id=message.id,
        aggregatetype="note",
        aggregateid=event.note_id,
        type=EVENT_TYPES[type(event)],
        payload=_ENCODE[type(event)](event),
        topic=topic,
        shard=_shard(event.note_id, shards),
        time=event.occurred_at,
        subject=event.note_id,
        sequence=event.version,
        correlationid=cause.correlationid or cause.command_id,
        causationid=cause.command_id,
        traceparent=cause.traceparent,
    )
    return row if cause.tracestate is None else _with_state(row, cause.tracestate)


def _outcome_row(message: OutcomeMessage, topic: str, shards: dict[str, int]) -> OutboxRow:
    outcome, cause = message.outcome, message.cause
    key = outcome.note_id or outcome.command_id
    row = OutboxRow(
        id=outcome.id,
        aggregatetype="command-outcome",
        aggregateid=key,
        type=outcome_type(outcome.status),
        payload=to_json(outcome.data()),
        topic=topic,
        shard=_shard(key, shards),
        time=outcome.at,
        subject=outcome.note_id,
        sequence=outcome.version,
        correlationid=cause.correlationid or cause.command_id,
        causationid=cause.command_id,
        traceparent=cause.traceparent,
    )
    return row if cause.tracestate is None else _with_state(row, cause.tracestate)


def _with_state(row: OutboxRow, tracestate: str) -> OutboxRow:
    """Return the row with headers of its own: `tracestate` is too rare for a column."""
    return row._replace(key=row.aggregateid.encode(), headers=pack_headers(row_headers(row, tracestate)))


def _shard(key: str, shards: dict[str, int]) -> int:
    # Event and outcome of a command share the key, and hashing costs most of what a row costs.
    shard = shards.get(key)
    if shard is None:
        shard = shards[key] = partition_of(key.encode(), PARTITIONS)
    return shard


def _encoder(event_type: type[events.Event]) -> Callable[[Any], bytes]:
    extra = [item.name for item in fields(event_type) if item.name not in {"note_id", "version", "occurred_at"}]

    def encode(event: events.Event) -> bytes:
        data = {"note_id": event.note_id, "version": event.version, "occurred_at": format_time(event.occurred_at)}
        for name in extra:
            value = getattr(event, name)
            data[name] = format_time(value) if isinstance(value, datetime) else value
        return to_json(data)

    return encode


_ENCODE: Mapping[type[events.Event], Callable[[Any], bytes]] = {kind: _encoder(kind) for kind in EVENT_TYPES}
