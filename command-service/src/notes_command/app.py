"""The composition root: reads the settings and builds every part. Nothing is connected yet."""

import argparse
import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import uvloop
from fastapi import APIRouter, FastAPI

from notes_chassis.access.authentication import authentication
from notes_chassis.health import Health
from notes_chassis.http.body import Intake, Places
from notes_chassis.http.browsers import with_cors
from notes_chassis.http.openapi import asyncapi_routes
from notes_chassis.http.probes import OpsListener, show_readiness
from notes_chassis.http.server import serve_until_signal
from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.lag import Tracker
from notes_chassis.kafka.pacing import gathering
from notes_chassis.kafka.subscription import Reading, Subscription
from notes_chassis.kafka.supervisor import ConsumerSupervisor
from notes_chassis.kafka.topic_state import state
from notes_chassis.kafka.topics import TopicCheck
from notes_chassis.kafka.watchdog import HealthSample
from notes_chassis.memory import relax_collector, return_memory
from notes_chassis.process import Process, Step, TaskSupervisor
from notes_chassis.tracing.start import start
from notes_command.dead_letters.routes import dead_letter_routes
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_command.errors import BadDeploy, StoreError
from notes_command.gateway.app import NEEDED, VERSION, asyncapi_document, create_app, metrics_routes, probe_routes
from notes_command.gateway.command_topic import KafkaCommandTopic
from notes_command.gateway.commands import command_routes
from notes_command.gateway.notes import note_routes
from notes_command.gateway.outcomes import OutcomeWaiters
from notes_command.metrics import CLIENTS, CONSUMER, LAG_RECORDS, LAG_SECONDS, TASK_FAILURES
from notes_command.outbox.backlog import OutboxGauges
from notes_command.outbox.destinations import Destinations
from notes_command.outbox.handover import Handover
from notes_command.outbox.producer import MAX_REQUEST, RelayProducer
from notes_command.outbox.relay import Relay
from notes_command.outbox.routes import outbox_routes
from notes_command.outbox.store import PostgresOutbox
from notes_command.pipeline.batches import CommandBatches
from notes_command.pipeline.clock import ClockCheck
from notes_command.pipeline.decide import Result
from notes_command.pipeline.process import BatchProcessor
from notes_command.pipeline.retention import Retention
from notes_command.pipeline.rows import Topics
from notes_command.pipeline.store import PostgresStore
from notes_command.postgres import Trust, create_engine
from notes_command.settings import Settings, read_settings
from notes_command.signals import CommitListener, Signal
from notes_command.snapshots.republish import PostgresSnapshots
from notes_command.snapshots.routes import admin_routes
from notes_contracts import random_id
from notes_contracts.asyncapi import page
from notes_contracts.cloudevents import valid_trace
from notes_contracts.times import now

AHEAD: Final = 512 * 1024
"""Bytes prefetched per partition: enough for a batch, even if it comes from one partition. Measured: twice as many take
some megabytes more when the service is behind, and do not make it faster."""
FETCH_MAX_BYTES: Final = 4 * AHEAD
"""Bytes of one answer of a broker, which is in memory twice while it arrives."""
FIRST_S: Final = 1.0
"""Seconds that the first connection to Kafka may delay the start."""
ANSWER_S: Final = 4.0
"""Seconds that a request waits for PostgreSQL, the wait for a connection included. SQLAlchemy may take 2 more to give
up a transaction."""
REDRIVE_S: Final = 30.0
"""The same of a redrive: a hundred dead letters may be hundreds of megabytes, which are read and written again."""


class _Shared:
    """The adapters and the state that several parts of the process share. Nothing is connected yet."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = random_id()
        self.health = Health()
        self.access = authentication(settings, self.health, settings)
        self.tracing = start("notes-command", VERSION, valid_trace)
        self.cluster = settings.cluster()
        self.topics = Topics(settings.topic_events, settings.topic_outcomes, settings.topic_command_dead_letters)
        self.trust = Trust()
        # A lock is waited for briefly: a batch that does not get it is tried again, and the others go on meanwhile.
        self.pipeline_engine = create_engine(settings.postgres, trust=self.trust, lock_timeout="2s")
        # After a crash of PostgreSQL a deleted row may be back and be sent again. That is safe: consumers drop repeats.
        self.relay_engine = create_engine(settings.postgres, 2, self.trust, synchronous_commit="off")
        # Requests have connections of their own: the pipeline never waits behind them, however many there are.
        self.request_engine = create_engine(settings.postgres, 3, self.trust).execution_options(answer_s=ANSWER_S)
        self.outbox = PostgresOutbox(self.relay_engine)
        self.reader = PostgresStore(self.request_engine, self.topics)
        self.waiters = OutcomeWaiters(self.reader)
        self.gateway = KafkaCommandTopic(self.cluster, settings.topic_commands)
        self.relay_producer = RelayProducer(self.cluster)
        self.relay_signal = Signal()
        self.handover = Handover()

    async def connect_producer(self) -> None:
        """Connect what the first event and outcome would wait for. If Kafka is away, the start goes on without it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                await self.relay_producer.warm([self.topics.events, self.topics.outcomes])


def build(settings: Settings) -> tuple[FastAPI, Process, Callable[[], None]]:
    """Return the app, its process, and a function that answers all waiting clients. Nothing is connected yet."""
    shared = _Shared(settings)
    CLIENTS.set_function(lambda: len(shared.waiters))
    show_readiness(shared.health, NEEDED)
    relay = Relay(
        shared.outbox,
        shared.relay_producer,
        shared.relay_signal,
        MAX_REQUEST,
        Destinations(shared.health),
        shared.handover,
        shared.tracing,
    )
    probes = probe_routes(shared.health, shared.gateway)
    figures = metrics_routes()
    process = Process(
        tasks=_tasks(shared, relay, OpsListener([probes, figures], settings.command_host, settings.command_ops_port)),
        closing=_closing(shared, relay),
        supervisor=TaskSupervisor(shared.health, lambda task: TASK_FAILURES.labels(task).inc()),
        first=shared.connect_producer,
    )
    operations = [probes, figures] if shared.access is None else [probes]
    tokens = None if shared.access is None else shared.access.tokens
    app = create_app(_routers(shared, operations), process.lifespan, tokens, shared.tracing)
    return app, process, shared.waiters.close


def _tasks(shared: _Shared, relay: Relay, ops_listener: OpsListener) -> dict[str, Step]:
    """Return the tasks of the process by name, in the order in which they are stopped."""
    settings, topics, signal = shared.settings, shared.topics, shared.relay_signal
    listener = CommitListener(
        settings.postgres,
        [shared.waiters.signal.set],
        [shared.handover.require_read, signal.set],
        shared.name,
        shared.trust,
        shared.health,
    )
    store = PostgresStore(shared.pipeline_engine, topics, shared.name, shared.handover, lambda: listener.others)
    gauges = OutboxGauges(shared.outbox, shared.health, {topics.events, topics.outcomes})
    tasks: dict[str, Step] = {
        "consumer": _consumer(shared, store, overdue=lambda: gauges.overdue).run,
        "relay": relay.run,
        "listener": listener.run,
        "answers": shared.waiters.run,
        "gauges": gauges.run,
        "topics": TopicCheck(shared.cluster, settings.topics, shared.health).run,
        "retention": Retention(shared.pipeline_engine, now).run,
    }
    if shared.access is not None:
        tasks["token keys"] = shared.access.keep_keys
    tasks["ops listener"] = ops_listener.run
    return tasks


def _closing(shared: _Shared, relay: Relay) -> tuple[Step, ...]:
    """Return what is closed after the tasks, in this order."""
    steps: list[Step] = [] if shared.access is None else [shared.access.client.aclose]
    steps += [relay.release, shared.gateway.close]
    steps += [engine.dispose for engine in (shared.pipeline_engine, shared.relay_engine, shared.request_engine)]
    if shared.tracing is not None:
        steps.append(shared.tracing.close)
    return tuple(steps)


def _routers(shared: _Shared, operations: Sequence[APIRouter]) -> list[APIRouter]:
    settings, engine = shared.settings, shared.request_engine
    intake = Intake(settings)
    document = asyncapi_document(settings)
    return [
        command_routes(shared.gateway, shared.waiters, intake, Places(settings.http_waiting)),
        note_routes(shared.reader),
        *operations,
        admin_routes(PostgresSnapshots(engine, settings.topic_events), intake),
        dead_letter_routes(
            PostgresDeadLetters(engine, settings.topic_commands),
            intake,
            redriving=PostgresDeadLetters(engine.execution_options(answer_s=REDRIVE_S), settings.topic_commands),
        ),
        outbox_routes(PostgresOutbox(engine), intake),
        asyncapi_routes(document, page(document)),
    ]


def _consumer(shared: _Shared, store: PostgresStore, *, overdue: Callable[[], Collection[int]]) -> ConsumerSupervisor:
    """Return the consumer of commands. `overdue`: the partitions whose events cannot leave the outbox."""
    settings, topic = shared.settings, shared.settings.topic_commands
    tracker = Tracker(settings.command_group, lambda: datetime.now(UTC))

    def stored(results: Sequence[Result]) -> None:
        shared.relay_signal.set()
        shared.waiters.decided(outcome for result in results for outcome in result.answers())

    def sampled(sample: HealthSample) -> None:
        tracker.sampled(sample)
        records, seconds = tracker.behind()
        LAG_RECORDS.labels(topic).set(records)
        LAG_SECONDS.labels(topic).set(seconds)

    processor = BatchProcessor(store, now, random_id)
    batches = BatchConsumer(
        "consumer",
        CommandBatches(processor, stored, tracker, ClockCheck(now, store.time), shared.tracing),
        shared.health,
        CONSUMER,
        expected=(StoreError, BadDeploy),
        unready=lambda error: isinstance(error, BadDeploy),
        paused=overdue,
    )
    reading = Reading(
        shared.cluster,
        "notes-command",
        topic,
        settings.command_group,
        settings.command_batch,
        settings.kafka_session_ms,
        gathering,
        fetch_max_bytes=FETCH_MAX_BYTES,
        ahead=AHEAD,
    )
    return ConsumerSupervisor(
        batches, lambda: Subscription(reading, batches), lambda: state(shared.cluster, topic), sampled
    )


def serve(_: argparse.Namespace) -> int:
    """Run everything until SIGTERM or SIGINT; return the exit code."""
    settings = read_settings()
    return_memory()
    return uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    service, _, let_clients_go = build(settings)
    relax_collector()
    app = with_cors(service, settings.cors_origins)
    return await serve_until_signal(app, settings.command_host, settings.command_port, let_clients_go, settings)
