"""The outbox rows of a batch. They hold the records byte for byte as Kafka gets them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from pydantic_core import to_json

from notes_chassis.dead_letters import headers_of
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
"""An event of the domain has the same name as its contract. If one is missing, the import fails here."""
_FIELDS: Final = {
    event: (
        tuple(attribute.name for attribute in fields(event)),
        tuple(attribute.name for attribute in fields(event) if attribute.type is datetime),
    )
    for event in EVENT_TYPES
}
"""The names of all fields of each event, and the names of those that are times."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the topics that are written, which are settings."""

    events: str
    outcomes: str
    dead_letters: str


def rows_of(messages: Iterable[Message], topics: Topics) -> list[OutboxRow]:
    """Return the rows of events and outcomes, in order."""
    # Event and outcome of a command have the same key, and to hash it costs most of a row.
    shards: dict[str, int] = {}
    rows: list[OutboxRow] = []
    for id_, content, cause in messages:
        assert cause.command_id is not None, "a record without a command id gets no message"
        key = content.note_id or cause.command_id
        shard = shards.get(key)
        if shard is None:
            shard = shards[key] = partition_of(key.encode(), PARTITIONS)
        if isinstance(content, Outcome):
            aggregatetype = "command-outcome"
            type_ = outcome_type(content.status)
            payload = to_json(content.data())
            topic = topics.outcomes
            time = content.at
            authtype, authid = content.authtype, content.authid
        else:
            aggregatetype = "note"
            type_ = EVENT_TYPES[type(content)]
            payload = event_data(content)
            topic = topics.events
            time = content.occurred_at
            authtype, authid = cause.authtype, cause.authid
        # Positional, in the order of the fields: by keyword it takes twice as long, for two rows a command.
        row = OutboxRow(
            id_,
            aggregatetype,
            key,
            type_,
            payload,
            topic,
            shard,
            time,
            content.note_id,
            content.version,
            cause.correlationid or cause.command_id,
            cause.command_id,
            cause.traceparent,
            None,
            None,
            authtype,
            authid,
        )
        if cause.tracestate is not None:  # too rare for a column
            row = row._replace(key=key.encode(), headers=pack_headers(row_headers(row, cause.tracestate)))
        rows.append(row)
    return rows


def event_data(event: Event) -> bytes:
    """Return the data of the event as JSON."""
    names, times = _FIELDS[type(event)]
    data = {name: getattr(event, name) for name in names}
    for name in times:
        data[name] = format_time(data[name])
    return to_json(data)


def dead_letter_row(dead_letter: DeadLetter, topic: str) -> OutboxRow:
    """Return the row of a dead letter: the original value, key and headers, and the headers that say why."""
    source = dead_letter.source
    position = source.position
    headers = headers_of(source.headers, position, dead_letter.code, dead_letter.reason, format_time(dead_letter.at))
    return OutboxRow(
        id=str(uuid5(DEAD_LETTER_IDS, str(position))),
        aggregatetype="dead-letter",
        aggregateid=dead_letter.note_id or dead_letter.command_id or str(position),
        type="dead-letter",
        payload=source.value,
        topic=topic,
        shard=0,
        time=dead_letter.at,
        causationid=dead_letter.command_id,
        key=source.key,
        headers=pack_headers(headers),
    )
