"""The composition root: reads the settings, builds the adapters, hands them to the entrypoints."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import structlog
import uvloop
from aiokafka.errors import KafkaError
from fastapi import FastAPI
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from notes_command import logs
from notes_command.adapters.kafka.broker import MAX_REQUEST, KafkaBroker
from notes_command.adapters.kafka.command_topic import KafkaCommandTopic
from notes_command.adapters.kafka.decode import decode
from notes_command.adapters.kafka.header_names import tolerate_any_header_name
from notes_command.adapters.kafka.topics import TopicMismatch, provision
from notes_command.adapters.messages import Topics
from notes_command.adapters.postgres.engine import create_engine
from notes_command.adapters.postgres.listener import CommitListener
from notes_command.adapters.postgres.migrate import migrate as migrate_schema
from notes_command.adapters.postgres.outbox import PostgresOutbox
from notes_command.adapters.postgres.store import PostgresStore
from notes_command.application.process_batch import BatchProcessor
from notes_command.application.wait_for_outcome import OutcomeWaiters
from notes_command.entrypoints.consumer.consumer import CommandConsumer
from notes_command.entrypoints.consumer.offsets import OffsetGuard
from notes_command.entrypoints.consumer.rebalance import Rebalance
from notes_command.entrypoints.consumer.subscriber import REVOKE_S, CommandSubscription
from notes_command.entrypoints.consumer.supervisor import ConsumerSupervisor
from notes_command.entrypoints.gauges import OutboxGauges
from notes_command.entrypoints.health import Health
from notes_command.entrypoints.http.app import create_app
from notes_command.entrypoints.http.asyncapi import asyncapi_routes
from notes_command.entrypoints.http.commands import command_routes
from notes_command.entrypoints.http.notes import note_routes
from notes_command.entrypoints.http.probes import probe_routes
from notes_command.entrypoints.http.server import Server
from notes_command.entrypoints.once import once
from notes_command.entrypoints.process import Process
from notes_command.entrypoints.relay import Relay
from notes_command.entrypoints.wakeup import Wakeup
from notes_command.entrypoints.waking import OutcomeAnswers
from notes_command.settings import Settings
from notes_contracts import cut_to_milliseconds
from notes_contracts import topics as contract

log = structlog.get_logger()


def build(settings: Settings) -> tuple[FastAPI, Process, Callable[[], None]]:
    """Return the app, the process behind it, and what lets waiting clients go; nothing is connected yet."""
    engine = create_engine(settings.postgres)
    topics = Topics(settings.topic_events, settings.topic_outcomes, settings.topic_command_dead_letters)
    store = PostgresStore(engine, topics)
    outbox = PostgresOutbox(engine)
    gateway = KafkaCommandTopic(settings.kafka, settings.topic_commands)
    health, wakeup, waiters = Health(), Wakeup(), OutcomeWaiters(store)

    guard, gauges = OffsetGuard(), OutboxGauges(outbox, health)
    commands = CommandConsumer(
        decode=decode,
        processor=BatchProcessor(
            store, now=lambda: cut_to_milliseconds(datetime.now(UTC)), new_id=lambda: str(uuid4())
        ),
        guard=guard,
        rebalance=Rebalance(guard, at_most_s=REVOKE_S),
        health=health,
        stored=wakeup.ring,
        overdue=gauges.overdue,
    )
    supervisor = ConsumerSupervisor(lambda: CommandSubscription(settings, commands), health)
    relay = Relay(outbox, KafkaBroker(settings.kafka), wakeup, MAX_REQUEST)
    answers = OutcomeAnswers(waiters)
    listener = CommitListener(settings.postgres, [wakeup.ring, answers.wakeup.ring])

    process = Process(
        tasks={
            "consumer": supervisor.run,
            "relay": relay.run,
            "listener": listener.run,
            "answers": answers.run,
            "gauges": gauges.run,
        },
        closing=(relay.release, gateway.close, engine.dispose),
    )
    routers = [
        command_routes(gateway, waiters),
        note_routes(store),
        probe_routes(health, gateway),
        asyncapi_routes(settings),
    ]
    return create_app(routers, process.lifespan), process, waiters.close


def serve() -> int:
    """Run everything until SIGTERM or SIGINT; return the exit code."""
    settings = _settings()
    if settings is None:
        return 2
    return uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    tolerate_any_header_name()
    app, process, let_clients_go = build(settings)
    server = Server(app, settings.command_host, settings.command_port, let_clients_go)
    process.end = server.end
    await server.run_until_signal()
    return 1 if process.failed or not server.started else 0


def migrate(timeout: float) -> int:
    """Bring the schema up to date; return the exit code."""
    settings = _settings()
    if settings is None:
        return 2
    away = (OSError, TimeoutError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
    return uvloop.run(once("PostgreSQL", lambda: migrate_schema(settings.postgres), away, timeout))


def topics(timeout: float) -> int:
    """Create the topics that are missing; return the exit code."""
    settings = _settings()
    if settings is None:
        return 2
    wanted = [
        replace(contract.COMMANDS_TOPIC, name=settings.topic_commands),
        replace(contract.EVENTS_TOPIC, name=settings.topic_events),
        replace(contract.OUTCOMES_TOPIC, name=settings.topic_outcomes),
        replace(contract.COMMAND_DEAD_LETTERS_TOPIC, name=settings.topic_command_dead_letters),
    ]

    async def create() -> None:
        log.info("topics are there", created=await provision(settings.kafka, wanted))

    try:
        return uvloop.run(once("Kafka", create, (OSError, TimeoutError, KafkaError), timeout))
    except TopicMismatch as error:
        log.error("refused", reason=str(error))  # noqa: TRY400 - a sentence, not a traceback
        return 1


def _settings() -> Settings | None:
    try:
        settings = Settings()
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            name = "_".join(map(str, error["loc"])).upper()
            print(f"NOTES_{name}: {error['msg']}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return None
    logs.configure(settings.command_log_level)
    return settings
