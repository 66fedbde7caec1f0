"""One process of the service: the projector, the HTTP API, or both."""

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Final, Literal, NamedTuple

import httpx
import structlog
from fastapi import APIRouter, FastAPI

from notes_chassis.access.authentication import authentication
from notes_chassis.http.docs import asyncapi_routes
from notes_chassis.http.ops import OpsListener
from notes_chassis.kafka.inquiry import Inquiry
from notes_chassis.kafka.topic_check import TopicCheck
from notes_chassis.process import Process, Step
from notes_contracts.asyncapi import page
from notes_query.composition.administration import admin_routers
from notes_query.composition.asyncapi import asyncapi_document
from notes_query.composition.consuming import Consumption, patience_of
from notes_query.composition.http_app import make_app
from notes_query.composition.indexes import create_indexes
from notes_query.composition.monitoring import Monitoring, make_monitoring
from notes_query.composition.projector import build_feeds
from notes_query.composition.shared import Shared, now
from notes_query.composition.wakes import Wakes
from notes_query.errors import NotesQueryError
from notes_query.http.health import health_routes, metrics_route
from notes_query.live.changes import live_changes
from notes_query.monitoring.maintenance import Maintenance
from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import ReadModel
from notes_query.reads.routers import read_routers
from notes_query.rebuilding.active_builds import ActiveBuildWatch
from notes_query.rebuilding.build_feeds import BuildFeeds
from notes_query.rebuilding.readiness import Readiness
from notes_query.repairing.dead_letter_relay import DeadLetterRelay, DeadLetterTopic
from notes_query.settings import Settings

log = structlog.get_logger()

VERSION: Final = version("notes-query")
FIRST_S: Final = 4.0
"""How long the first look at builds and active builds may hold up the start."""
FIRST_AGAIN_S: Final = 0.2
OUTCOMES_PATIENCE_MS: Final = 50
MAX_CONNECTIONS: Final = 50
"""To command-service."""

Only = Literal["projector", "api"]


class Service(NamedTuple):
    """The app, the process behind it, and what lets waiting readers go; nothing is connected yet."""

    app: FastAPI
    process: Process
    let_readers_go: Callable[[], None]


def build(settings: Settings, only: Only | None = None, read_models: Mapping[str, ReadModel] = READ_MODELS) -> Service:
    """Return the service, or the half of it that `only` names."""
    shared = Shared(settings, read_models)
    tasks: dict[str, Step] = {}
    closing: list[Step] = []
    routers: list[APIRouter] = []
    let_go: list[Callable[[], None]] = [waiters.close for waiters in (*shared.waiters.values(), shared.outcome_waiters)]
    wakes = shared.wakes
    monitoring = make_monitoring(settings, shared.database, shared.served, shared.topic.beginnings, now)
    access = authentication(settings, shared.health)
    if access is not None:
        tasks["token keys"] = access.keep_keys
        closing.append(access.client.aclose)
    command_service = None
    if settings.command_url is not None:
        command_service = _client_of(settings.command_url, settings.query_write_store_timeout_s)
        closing.append(command_service.aclose)

    feeds: BuildFeeds | None = None
    if only != "api":
        feeds = _projector(shared, monitoring, wakes, tasks, closing)
        tasks |= monitoring.projecting(command_service, access)
    watch = ActiveBuildWatch(
        shared.instance,
        shared.builds,
        shared.instances,
        shared.served,
        feeds=lambda: [] if feeds is None else feeds.numbers,
        answers=only != "projector",
        changed=[wakes.switched] if feeds is None else [wakes.switched, feeds.rename],
    )
    readiness = Readiness(shared.read_models, shared.builds, shared.topic, shared.served)
    tasks["active builds"] = watch.run
    if only != "projector":
        routers += _api(shared, monitoring, tasks, let_go, command_service)
        tasks |= {f"wakes of {kind}": one.run for kind, one in wakes.all.items()} | {"readiness": readiness.run}
    tasks |= monitoring.everywhere()
    tasks["topics"] = TopicCheck(shared.cluster, settings.topics, shared.health).run
    tasks["maintenance"] = _maintenance(shared, feeds, closing).run
    closing += [shared.topic.close, shared.database.close]

    # Also of a projector alone: the one of the release before it feeds what is served until then.
    missing = readiness.incomplete if only == "projector" else readiness.missing
    begin = None if feeds is None else feeds.begin
    process = Process(
        tasks=tasks,
        closing=tuple(closing),
        supervisor=shared.supervisor,
        first=lambda: _first(watch, readiness, begin),
    )
    document = asyncapi_document(settings, VERSION)
    operations = [health_routes(shared.health, shared.database.ping, missing), metrics_route()]
    tasks["ops listener"] = OpsListener(operations, settings.query_host, settings.query_ops_port).run
    if access is not None:
        operations.pop()
    routers += [*operations, asyncapi_routes(document, page(document))]

    def let_readers_go() -> None:
        for let in let_go:
            let()

    tokens = None if access is None else access.tokens
    return Service(make_app(routers, process.lifespan, VERSION, tokens), process, let_readers_go)


def _client_of(url: str, timeout_s: float) -> httpx.AsyncClient:
    """Return a client of command-service that goes straight there: no proxy of the environment, no redirect."""
    limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
    return httpx.AsyncClient(base_url=url, timeout=timeout_s, limits=limits, trust_env=False)


def _projector(
    shared: Shared, monitoring: Monitoring, wakes: Wakes, tasks: dict[str, Step], closing: list[Step]
) -> BuildFeeds:
    feeds = build_feeds(shared, monitoring.feeds, wakes.reassigned)
    outcomes = Consumption(
        shared,
        monitoring.feeds,
        name="outcomes",
        topic=shared.settings.topic_outcomes,
        group=shared.settings.outcomes_group,
        process=monitoring.record_outcomes(
            shared.outcomes, shared.dead_letters, shared.outcome_waiters, shared.reached.holds
        ),
        reassigned=wakes.outcomes.reassigned,
        patience=patience_of(OUTCOMES_PATIENCE_MS, [shared.outcome_waiters]),
    )
    topic = DeadLetterTopic(shared.cluster, shared.settings.topic_event_dead_letters)
    tasks["builds"] = feeds.run
    tasks["outcomes"] = outcomes.run
    tasks["dead letters"] = DeadLetterRelay(shared.dead_letters, topic, now, shared.health).run
    closing.append(topic.close)
    return feeds


def _api(
    shared: Shared,
    monitoring: Monitoring,
    tasks: dict[str, Step],
    let_go: list[Callable[[], None]],
    command_service: httpx.AsyncClient | None,
) -> list[APIRouter]:
    settings = shared.settings
    live = live_changes(
        settings,
        shared.cluster,
        shared.database,
        shared.served,
        passed=shared.committed_by_served,
        health=shared.health,
    )
    tasks["changes"] = live.run
    let_go.append(live.close)
    reads = read_routers(
        settings,
        shared.database,
        shared.served,
        shared.outcomes,
        waiters=shared.waiters,
        outcome_waiters=shared.outcome_waiters,
        notes_lag=monitoring.notes.seconds,
        background_lag=monitoring.background.seconds,
        command_service=command_service,
    )
    return [live.router, *reads, *admin_routers(shared)]


def _maintenance(shared: Shared, feeds: BuildFeeds | None, closing: list[Step]) -> Maintenance:
    inquiry = Inquiry(shared.cluster)
    closing.append(inquiry.close)

    async def ask_kafka() -> None:
        await inquiry.states([shared.settings.topic_events])

    return Maintenance(
        shared.health,
        ask_kafka,
        lambda: create_indexes(shared.database),
        list if feeds is None else feeds.folds,
    )


async def _first(watch: ActiveBuildWatch, readiness: Readiness, begin: Step | None) -> None:
    """Take the first looks, so that a system that is well serves from the first request on."""
    asked = "MongoDB"
    deadline = asyncio.get_running_loop().time() + FIRST_S
    while asyncio.get_running_loop().time() < deadline:
        try:
            async with asyncio.timeout_at(deadline):
                await watch.step()
                asked = "MongoDB or Kafka"
                if begin is not None and readiness.incomplete():
                    await begin()
                    await watch.step()
                if watch.answers:
                    await readiness.step()
        except (NotesQueryError, TimeoutError) as error:
            said = str(error) or f"no answer from {asked} within {FIRST_S:g} s"
            log.info("starting: the builds were not looked at yet", error=said)
            await asyncio.sleep(FIRST_AGAIN_S)
        else:
            return
