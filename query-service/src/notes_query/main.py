"""The composition root: reads the settings, builds the adapters, hands them to the entrypoints."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Union

import structlog
import uvloop
from aiokafka.errors import KafkaError
from fastapi import FastAPI
from pydantic import ValidationError

from notes_contracts import EVENTS, Outcome, cut_to_milliseconds
from notes_contracts import topics as contract
from notes_query import logs
from notes_query.adapters.kafka.dead_letter_topic import DeadLetterTopic
from notes_query.adapters.kafka.header_names import tolerate_any_header_name
from notes_query.adapters.kafka.topics import TopicMismatch, missing, provision
from notes_query.adapters.mongo.changes import MongoChanges
from notes_query.adapters.mongo.database import Database
from notes_query.adapters.mongo.dead_letters import MongoDeadLetterStore
from notes_query.adapters.mongo.indexes import create_indexes
from notes_query.adapters.mongo.notes import MongoNoteStore
from notes_query.adapters.mongo.outcomes import MongoOutcomeStore
from notes_query.adapters.mongo.reader import MongoNoteReader
from notes_query.application.get_command import GetCommand
from notes_query.application.get_note import GetNote
from notes_query.application.isolate import Isolate
from notes_query.application.list_notes import ListNotes
from notes_query.application.project_events import ProjectEvents
from notes_query.application.record_outcomes import RecordOutcomes
from notes_query.application.waiters import Waiters
from notes_query.entrypoints import metrics
from notes_query.entrypoints.consumer.consumer import BatchConsumer
from notes_query.entrypoints.consumer.offsets import OffsetGuard
from notes_query.entrypoints.consumer.ownership import owns_everything, owns_key
from notes_query.entrypoints.consumer.rebalance import Rebalance
from notes_query.entrypoints.consumer.subscriber import REVOKE_S, Lane, Limits, Subscription
from notes_query.entrypoints.consumer.supervisor import ConsumerSupervisor
from notes_query.entrypoints.dead_letter_relay import DeadLetterRelay
from notes_query.entrypoints.foreign_wakes import ForeignWakes
from notes_query.entrypoints.health import Health
from notes_query.entrypoints.http.app import make_app
from notes_query.entrypoints.http.asyncapi import asyncapi_routes
from notes_query.entrypoints.http.commands import command_routes
from notes_query.entrypoints.http.health import health_routes
from notes_query.entrypoints.http.notes import note_routes
from notes_query.entrypoints.http.server import Server
from notes_query.entrypoints.once import once
from notes_query.entrypoints.process import Process
from notes_query.entrypoints.upkeep import Upkeep
from notes_query.projections import note, outcome
from notes_query.settings import Settings

log = structlog.get_logger()

VERSION = version("notes-query")
AWAY = (OSError, TimeoutError, KafkaError)


def now() -> datetime:
    """Return the time as every store holds it."""
    return cut_to_milliseconds(datetime.now(UTC))


def build(settings: Settings) -> tuple[FastAPI, Process, Callable[[], None]]:
    """Return the app, the process behind it, and what lets waiting readers go; nothing is connected yet."""
    database = Database(settings.mongo, settings.query_mongo_timeout_s)
    notes, outcomes = MongoNoteStore(database), MongoOutcomeStore(database)
    reader, letters = MongoNoteReader(database), MongoDeadLetterStore(database)
    dead_letter_topic = DeadLetterTopic(settings.kafka, settings.topic_event_dead_letters)
    health, note_waiters, outcome_waiters = Health(now), Waiters(), Waiters()
    project = ProjectEvents(notes, letters, note_waiters, now)
    record = RecordOutcomes(outcomes, letters, outcome_waiters, now)
    lanes = (
        Lane(
            name="core",
            topic=settings.topic_events,
            group=settings.core_group,
            process=Isolate(project, letters, now),
            description="Events, folded into the documents of their notes.",
            messages=list[Union[tuple(EVENTS.values())]],  # type: ignore[misc] # noqa: UP007 - known at run time only
        ),
        Lane(
            name="outcomes",
            topic=settings.topic_outcomes,
            group=settings.outcomes_group,
            process=Isolate(record, letters, now),
            description="Outcomes, kept by command id.",
            messages=list[Outcome],
        ),
    )

    batches = [_batches(lane, health) for lane in lanes]
    core, kept = (consumer.rebalance for consumer in batches)
    note_wakes = ForeignWakes(
        MongoChanges(database, note.SHAPE.collection, "version"), note_waiters, owns_key(core, settings.topic_events)
    )
    outcome_wakes = ForeignWakes(
        MongoChanges(database, outcome.SHAPE.collection, None), outcome_waiters, owns_everything(kept)
    )
    core.changed, kept.changed = note_wakes.reassigned, outcome_wakes.reassigned

    async def without_topic() -> list[str]:
        return await missing(settings.kafka, [lane.topic for lane in lanes])

    def let_readers_go() -> None:
        note_waiters.close()
        outcome_waiters.close()

    metrics.WAITING.labels("notes").set_function(note_waiters.__len__)
    metrics.WAITING.labels("commands").set_function(outcome_waiters.__len__)
    process = Process(
        tasks={
            **{
                lane.name: _supervisor(settings, lane, its, health).run
                for lane, its in zip(lanes, batches, strict=True)
            },
            "note wakes": note_wakes.run,
            "outcome wakes": outcome_wakes.run,
            "dead letters": DeadLetterRelay(letters, dead_letter_topic, now).run,
            "upkeep": Upkeep(health, without_topic, lambda: create_indexes(database), notes, project).run,
        },
        closing=(dead_letter_topic.close, database.close),
    )
    routers = [
        note_routes(GetNote(reader, note_waiters), ListNotes(reader)),
        command_routes(GetCommand(outcomes, outcome_waiters)),
        health_routes(health, database.ping),
        asyncapi_routes(settings, VERSION),
    ]
    return make_app(routers, process.lifespan, VERSION), process, let_readers_go


def _supervisor(settings: Settings, lane: Lane, batches: BatchConsumer, health: Health) -> ConsumerSupervisor:
    return ConsumerSupervisor(
        lane=lane.name,
        subscription=lambda: _subscription(settings, lane, batches),
        missing=lambda: missing(settings.kafka, [lane.topic]),
        health=health,
    )


def _batches(lane: Lane, health: Health) -> BatchConsumer:
    guard = OffsetGuard()
    return BatchConsumer(lane.name, lane.process, guard, Rebalance(guard, at_most_s=REVOKE_S), health)


def _subscription(settings: Settings, lane: Lane, batches: BatchConsumer) -> Subscription:
    return Subscription(settings.kafka, lane, batches, Limits(settings.query_batch, settings.kafka_session_ms))


def serve() -> int:
    """Run everything until SIGTERM or SIGINT; return the exit code."""
    settings = _settings()
    if settings is None:
        return 2
    return uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    tolerate_any_header_name()
    app, process, let_readers_go = build(settings)
    server = Server(app, settings.query_host, settings.query_port, ending=let_readers_go)
    process.end = server.end
    await server.run_until_signal()
    return 1 if process.failed or not server.started else 0


def topics(timeout_s: float) -> int:
    """Create the topics that are missing; return the exit code."""
    settings = _settings()
    if settings is None:
        return 2
    wanted = (
        replace(contract.EVENTS_TOPIC, name=settings.topic_events),
        replace(contract.OUTCOMES_TOPIC, name=settings.topic_outcomes),
        replace(contract.EVENT_DEAD_LETTERS_TOPIC, name=settings.topic_event_dead_letters),
    )

    async def create() -> None:
        log.info("topics are there", created=await provision(settings.kafka, wanted))

    try:
        return 0 if uvloop.run(once("Kafka", create, AWAY, timeout_s)) else 1
    except TopicMismatch as error:
        log.error("refused", reason=str(error))  # noqa: TRY400 - a sentence, not a traceback
        return 1


def _settings() -> Settings | None:
    try:
        settings = Settings()
    except ValidationError as error:
        for item in error.errors(include_url=False):
            name = "_".join(map(str, item["loc"])).upper()
            print(f"NOTES_{name}: {item['msg']}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return None
    logs.configure(settings.query_log_level)
    return settings
