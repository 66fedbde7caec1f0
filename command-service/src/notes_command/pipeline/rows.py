"""The outbox rows that a batch writes: byte for byte what Kafka gets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from pydantic_core import to_json

from notes_chassis.dead_letters import Position, headers_of
from notes_command.domain import events
from notes_command.domain.events import Event
from notes_command.outbox.row import OutboxRow, pack_headers, row_headers
from notes_command.pipeline.decide import DeadLetter, Message, Outcome
from notes_contracts import EVENTS, format_time, outcome_type, partition_of
from notes_contracts.topics import PARTITIONS

DEAD_LETTER_IDS: Final = UUID("0a6a3f0e-6f0f-5c60-9d2b-5d1c7f4f5a11")
EVENT_TYPES: Final[Mapping[type[Event], str]] = {
    getattr(events, model.__name__): ce_type for ce_type, model in EVENTS.items()
}
"""An event of the domain has the name of its contract; one that is missing fails here, at import."""
_FIELDS: Final = {
    event: (
        tuple(item.name for item in fields(event)),
        tuple(item.name for item in fields(event) if item.type is datetime),
    )
    for event in EVENT_TYPES
}
"""The fields of each event, and those of them that are times."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the topics written to; names are settings."""

    events: str
    outcomes: str
    dead_letters: str


def rows_of(messages: Iterable[Message], topics: Topics) -> list[OutboxRow]:
    """Return the rows of events and outcomes, in order."""
    # Event and outcome of a command share the key, and hashing costs most of what a row costs.
    shards: dict[str, int] = {}
    rows: list[OutboxRow] = []
    for id_, content, cause in messages:
        assert cause.command_id is not None, "who has no command id gets no message"
        key = content.note_id or cause.command_id
        shard = shards.get(key)
        if shard is None:
            shard = shards[key] = partition_of(key.encode(), PARTITIONS)
        if isinstance(content, Outcome):
            kind, type_, data = "command-outcome", outcome_type(content.status), to_json(content.data())
            topic, at, asked = topics.outcomes, content.at, content[-2:]
        else:
            kind, type_, data = "note", EVENT_TYPES[type(content)], event_data(content)
            topic, at, asked = topics.events, content.occurred_at, cause[-2:]
        # By place, in the order of the columns: by name it takes twice as long, for two rows a command.
        row = OutboxRow(
            id_,
            kind,
            key,
            type_,
            data,
            topic,
            shard,
            at,
            content.note_id,
            content.version,
            cause.correlationid or cause.command_id,
            cause.command_id,
            cause.traceparent,
            None,
            None,
            *asked,
        )
        if cause.tracestate is not None:  # too rare for a column
            row = row._replace(key=key.encode(), headers=pack_headers(row_headers(row, cause.tracestate)))
        rows.append(row)
    return rows


def event_data(event: Event) -> bytes:
    """Return the event as JSON."""
    names, times = _FIELDS[type(event)]
    data = {name: getattr(event, name) for name in names}
    for name in times:
        data[name] = format_time(data[name])
    return to_json(data)


def dead_letter_row(dead_letter: DeadLetter, topic: str) -> OutboxRow:
    """Return the row of a dead letter: the original value, key and headers, and the headers that say why."""
    source = dead_letter.source
    place = Position(*source[:3])
    headers = headers_of(source.headers, place, dead_letter.code, dead_letter.reason, format_time(dead_letter.at))
    return OutboxRow(
        id=str(uuid5(DEAD_LETTER_IDS, str(place))),
        aggregatetype="dead-letter",
        aggregateid=dead_letter.note_id or dead_letter.command_id or str(place),
        type="dead-letter",
        payload=source.value,
        topic=topic,
        shard=0,
        time=dead_letter.at,
        causationid=dead_letter.command_id,
        key=source.key,
        headers=pack_headers(headers),
    )
