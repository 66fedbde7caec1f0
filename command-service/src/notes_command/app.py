"""The composition root: reads the settings, builds every part with what it needs, connects nothing."""

import argparse
import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import uvloop
from fastapi import FastAPI

from notes_chassis.access.authentication import authentication
from notes_chassis.health import Health
from notes_chassis.http.body import Intake, Places
from notes_chassis.http.browsers import with_cors
from notes_chassis.http.openapi import asyncapi_routes
from notes_chassis.http.probes import OpsListener, show_readiness
from notes_chassis.http.server import serve_until_signal
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.lag import Tracker
from notes_chassis.kafka.pacing import gathering
from notes_chassis.kafka.subscription import Reading, Subscription
from notes_chassis.kafka.supervisor import ConsumerSupervisor
from notes_chassis.kafka.topic_state import state
from notes_chassis.kafka.topics import TopicCheck
from notes_chassis.kafka.watchdog import HealthSample
from notes_chassis.memory import relax_collector, return_memory
from notes_chassis.process import Process, TaskSupervisor
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
from notes_contracts import cut_to_milliseconds, random_id
from notes_contracts.asyncapi import page
from notes_contracts.cloudevents import valid_trace

AHEAD: Final = 512 * 1024
"""Bytes fetched ahead of each partition: a batch's worth, of one partition too. With twice as many a service that is
behind takes some megabytes more, and is not faster."""
FETCH_MAX_BYTES: Final = 4 * AHEAD
"""Of one answer, which is in memory twice while it comes."""
FIRST_S: Final = 1.0
"""How long the first connection to Kafka may hold up the start."""
ANSWER_S: Final = 4.0
"""Seconds that a request waits for PostgreSQL, the wait for a connection included. SQLAlchemy may take 2 more to give
up a transaction."""


def now() -> datetime:
    """Return the time of day as messages have it."""
    return cut_to_milliseconds(datetime.now(UTC))


def build(settings: Settings) -> tuple[FastAPI, Process, Callable[[], None]]:
    """Return the app, the process behind it, and what lets waiting clients go; nothing is connected yet."""
    trust = Trust()
    # A lock is waited for briefly: who does not get it is tried again, and the others meanwhile go on.
    engine = create_engine(settings.postgres, trust=trust, lock_timeout="2s")
    # After a crash of PostgreSQL a deleted row may come back and be sent again. That is safe: consumers drop repeats.
    relaying = create_engine(settings.postgres, 2, trust, synchronous_commit="off")
    # Requests have connections of their own: however many there are, the pipeline never waits behind them.
    requests = create_engine(settings.postgres, 3, trust).execution_options(answer_s=ANSWER_S)
    topics = Topics(settings.topic_events, settings.topic_outcomes, settings.topic_command_dead_letters)
    name, cluster, health = random_id(), settings.cluster(), Health()
    signal, handover = Signal(), Handover()
    waiters = OutcomeWaiters(reader := PostgresStore(requests, topics))
    listener = CommitListener(settings.postgres, [waiters.signal.set], [handover.miss, signal.set], name, trust, health)
    store = PostgresStore(engine, topics, name, handover, lambda: listener.others)
    outbox = PostgresOutbox(relaying)
    gateway = KafkaCommandTopic(cluster, settings.topic_commands)
    access = authentication(settings, health, settings)
    CLIENTS.set_function(lambda: len(waiters))

    gauges = OutboxGauges(outbox, health, {topics.events, topics.outcomes})
    tracker = Tracker(settings.command_group, lambda: datetime.now(UTC))
    processor = BatchProcessor(store, now, random_id)

    def stored(results: Sequence[Result]) -> None:
        signal.set()
        waiters.decided(outcome for result in results for outcome in result.answers())

    tracing = start("notes-command", VERSION, valid_trace)
    process_batch = CommandBatches(processor, stored, tracker, ClockCheck(now, store.time), tracing)
    supervisor = consume(settings, cluster, process_batch, health, tracker, overdue=lambda: gauges.overdue)
    sender = RelayProducer(cluster)
    relay = Relay(outbox, sender, signal, MAX_REQUEST, Destinations(health), handover, tracing)
    probes, figures = probe_routes(health, gateway), metrics_routes()
    show_readiness(health, NEEDED)

    process = Process(
        tasks={
            "consumer": supervisor.run,
            "relay": relay.run,
            "listener": listener.run,
            "answers": waiters.run,
            "gauges": gauges.run,
            "topics": TopicCheck(cluster, settings.topics, health).run,
            "retention": Retention(engine, now).run,
            **({} if access is None else {"token keys": access.keep_keys}),
            "ops listener": OpsListener([probes, figures], settings.command_host, settings.command_ops_port).run,
        },
        closing=(
            *(() if access is None else (access.client.aclose,)),
            *(relay.release, gateway.close, engine.dispose, relaying.dispose, requests.dispose),
            *(() if tracing is None else (tracing.close,)),
        ),
        supervisor=TaskSupervisor(health, lambda task: TASK_FAILURES.labels(task).inc()),
        first=lambda: _first(sender, topics),
    )
    intake = Intake(settings)
    document = asyncapi_document(settings)
    routers = [
        command_routes(gateway, waiters, intake, Places(settings.http_waiting)),
        note_routes(reader),
        probes,
        *([figures] if access is None else []),
        admin_routes(PostgresSnapshots(requests, settings.topic_events), intake),
        dead_letter_routes(PostgresDeadLetters(requests, settings.topic_commands), intake),
        outbox_routes(PostgresOutbox(requests), intake),
        asyncapi_routes(document, page(document)),
    ]
    tokens = None if access is None else access.tokens
    return create_app(routers, process.lifespan, tokens, tracing), process, waiters.close


async def _first(sender: RelayProducer, topics: Topics) -> None:
    """Connect what the first event and outcome would wait for; a Kafka that is away holds up nobody for long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_S):
            await sender.warm([topics.events, topics.outcomes])


def consume(
    settings: Settings,
    cluster: Cluster,
    process: CommandBatches,
    health: Health,
    tracker: Tracker,
    *,
    overdue: Callable[[], Collection[int]],
) -> ConsumerSupervisor:
    """Return what keeps the commands consumed. `overdue`: the partitions whose events cannot leave the outbox."""

    def seen(sample: HealthSample) -> None:
        tracker.sampled(sample)
        records, seconds = tracker.behind()
        LAG_RECORDS.labels(settings.topic_commands).set(records)
        LAG_SECONDS.labels(settings.topic_commands).set(seconds)

    batches = BatchConsumer(
        "consumer",
        process,
        health,
        CONSUMER,
        expected=(StoreError, BadDeploy),
        unready=lambda error: isinstance(error, BadDeploy),
        paused=overdue,
    )
    reading = Reading(
        cluster,
        "notes-command",
        settings.topic_commands,
        settings.command_group,
        settings.command_batch,
        settings.kafka_session_ms,
        gathering,
        fetch_max_bytes=FETCH_MAX_BYTES,
        ahead=AHEAD,
    )
    return ConsumerSupervisor(
        batches, lambda: Subscription(reading, batches), lambda: state(cluster, settings.topic_commands), seen
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
