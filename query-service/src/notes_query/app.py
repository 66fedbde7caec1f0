"""One process of the service: the projector, the HTTP API, or both."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Final, Literal, NamedTuple

import httpx
import structlog
import uvloop
from fastapi import APIRouter, FastAPI

from notes_chassis.access.authentication import Authentication, authentication
from notes_chassis.http.body import Intake
from notes_chassis.http.browsers import with_cors
from notes_chassis.http.openapi import asyncapi_routes
from notes_chassis.http.probes import OpsListener, show_readiness
from notes_chassis.http.server import serve_until_signal
from notes_chassis.kafka.topics import TopicCheck
from notes_chassis.memory import relax_collector, return_memory
from notes_chassis.process import Process, Step
from notes_chassis.tracing.start import start
from notes_contracts.asyncapi import page
from notes_contracts.cloudevents import valid_trace
from notes_contracts.times import now
from notes_query.composition import monitoring
from notes_query.composition.http_app import NEEDED, asyncapi_document, health_routes, make_app, metrics_route
from notes_query.composition.indexes import need_indexes
from notes_query.composition.monitoring import forks_of, gaps_in, redrive_of
from notes_query.composition.projector import build_feeds, feed_outcomes
from notes_query.composition.shared import Shared
from notes_query.errors import NotesQueryError
from notes_query.live.changes import live_changes
from notes_query.monitoring.maintenance import Maintenance, Periodic
from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import ReadModel
from notes_query.reads.routers import read_routers
from notes_query.rebuilding.active_builds import ActiveBuildWatch, Readiness
from notes_query.rebuilding.build_feeds import BuildFeeds
from notes_query.repairing.dead_letter_relay import POLL_S, DeadLetterRelay, DeadLetterTopic
from notes_query.repairing.dead_letter_routes import dead_letter_routes
from notes_query.repairing.gap_routes import gap_routes
from notes_query.repairing.missing_versions import MissingVersions
from notes_query.settings import Settings, read_settings

log = structlog.get_logger()

VERSION: Final = version("notes-query")
FIRST_S: Final = 4.0
"""Seconds that the start waits at most until builds and active builds have been read."""
FIRST_AGAIN_S: Final = 0.2
"""Seconds until they are read again, if that failed."""
MAX_CONNECTIONS: Final = 50
"""Connections to command-service."""

Only = Literal["projector", "api"]


class Service(NamedTuple):
    """The app, the process behind it, and what ends the waits of readers; nothing is connected yet."""

    app: FastAPI
    process: Process
    let_readers_go: Callable[[], None]


@dataclass
class Parts:
    """What a process runs, closes at its end, serves, and calls to let waiting readers go."""

    tasks: dict[str, Step] = field(default_factory=dict)
    closing: list[Step] = field(default_factory=list)
    routers: list[APIRouter] = field(default_factory=list)
    let_go: list[Callable[[], None]] = field(default_factory=list)

    def let_readers_go(self) -> None:
        """End the waits of readers."""
        for let_go in self.let_go:
            let_go()


def build(settings: Settings, only: Only | None = None, read_models: Mapping[str, ReadModel] = READ_MODELS) -> Service:
    """Return the service, or the half of it that `only` names."""
    shared = Shared(settings, read_models, start("notes-query", VERSION, valid_trace))
    access = authentication(settings, shared.health, settings)
    command_service = _command_service(settings)
    feeds = None if only == "api" else build_feeds(shared)
    answers = only != "projector"
    watch = _watch(shared, feeds, answers=answers)
    readiness = Readiness(shared.read_models, shared.builds, shared.topic, shared.served)

    parts = Parts(let_go=[waiters.close for waiters in shared.waiters.values()])
    if access is not None:
        parts.tasks["token keys"] = access.keep_keys
        parts.closing.append(access.client.aclose)
    if command_service is not None:
        parts.closing.append(command_service.aclose)
    if feeds is not None:
        _add_projector(parts, shared, feeds, access, command_service)
    parts.tasks["active builds"] = Periodic("active builds", watch.step, watch.pause_s).run
    parts.closing.append(watch.leave)
    if answers:
        _add_api(parts, shared, command_service)
        parts.tasks["readiness"] = Periodic("readiness", readiness.step, readiness.pause_s).run
    # A projector alone needs complete builds, too: until then the release before it feeds what is served.
    _add_operations(parts, shared, feeds, readiness.missing if answers else readiness.incomplete, access)
    parts.closing += [shared.inquiry.close, shared.topic.close, shared.database.close]
    if shared.tracing is not None:
        parts.closing.append(shared.tracing.close)

    begin = None if feeds is None else feeds.begin
    first = partial(_first, watch, readiness, begin)
    process = Process(parts.tasks, tuple(parts.closing), shared.supervisor, first)
    tokens = None if access is None else access.tokens
    app = make_app(parts.routers, process.lifespan, VERSION, tokens, shared.tracing)
    return Service(app, process, parts.let_readers_go)


def _watch(shared: Shared, feeds: BuildFeeds | None, *, answers: bool) -> ActiveBuildWatch:
    adapters = (shared.instance, shared.builds, shared.served)
    if feeds is None:
        return ActiveBuildWatch(*adapters, feeds=list, answers=answers, changed=[shared.switched])
    return ActiveBuildWatch(
        *adapters,
        feeds=lambda: feeds.numbers,
        answers=answers,
        changed=[shared.switched, feeds.rename],
        looked=feeds.looked,
    )


def _add_projector(
    parts: Parts,
    shared: Shared,
    feeds: BuildFeeds,
    access: Authentication | None,
    command_service: httpx.AsyncClient | None,
) -> None:
    topic = DeadLetterTopic(shared.cluster, shared.settings.topic_event_dead_letters)
    relay = DeadLetterRelay(shared.dead_letters, topic, now, shared.health)
    parts.tasks["builds"] = feeds.run
    parts.tasks["outcomes"] = feed_outcomes(shared).run
    parts.tasks["dead letters"] = Periodic("dead letters", relay.step, POLL_S).run
    parts.tasks |= monitoring.projecting(shared, command_service, access)
    parts.closing.append(topic.close)


def _add_api(parts: Parts, shared: Shared, command_service: httpx.AsyncClient | None) -> None:
    live = live_changes(
        shared.settings,
        shared.cluster,
        shared.database,
        shared.served,
        passed=shared.committed_by_served,
        health=shared.health,
    )
    reads = read_routers(
        shared.settings,
        shared.database,
        shared.served,
        shared.outcomes,
        waiters=shared.waiters,
        lag={projector: freshness.seconds for projector, freshness in shared.lag.items()},
        command_service=command_service,
    )
    parts.tasks["changes"] = live.run
    parts.tasks |= {f"wakes of {kind}": wakes.run for kind, wakes in shared.wakes.items()}
    parts.let_go.append(live.close)
    # The first route that fits answers: /notes/changes comes before /notes/{note_id}.
    parts.routers += [live.router, *reads, *_admin_routers(shared)]


def _add_operations(
    parts: Parts,
    shared: Shared,
    feeds: BuildFeeds | None,
    missing: Callable[[], Sequence[str]],
    access: Authentication | None,
) -> None:
    """Add probes, metrics, the documents of the API, and what keeps the metrics up to date."""
    settings = shared.settings
    folds = list if feeds is None else feeds.folds
    maintenance = Maintenance(shared.health, shared.ask_kafka, lambda: need_indexes(shared.database), folds)
    parts.tasks |= monitoring.everywhere(shared, maintenance)
    parts.tasks["topics"] = TopicCheck(shared.cluster, settings.topics, shared.health).run
    show_readiness(shared.health, NEEDED)
    health = health_routes(shared.health, shared.database.ping, missing)
    metrics = metrics_route()
    parts.tasks["ops listener"] = OpsListener([health, metrics], settings.query_host, settings.query_ops_port).run
    document = asyncapi_document(settings, VERSION)
    public = [health, metrics] if access is None else [health]
    parts.routers += [*public, asyncapi_routes(document, page(document))]


def _command_service(settings: Settings) -> httpx.AsyncClient | None:
    """Return a client of command-service that uses no proxy of the environment and follows no redirect."""
    if settings.command_url is None:
        return None
    limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
    timeout_s = settings.query_write_store_timeout_s
    return httpx.AsyncClient(base_url=settings.command_url, timeout=timeout_s, limits=limits, trust_env=False)


def _admin_routers(shared: Shared) -> list[APIRouter]:
    """Return the routes of administration, which do in this process what the command line does."""
    gaps = gaps_in(shared, building=True)
    missing = MissingVersions(shared.database)
    return [
        dead_letter_routes(shared.dead_letters, lambda: redrive_of(shared), Intake(shared.settings), now),
        gap_routes(gaps, lambda: forks_of(shared), missing),
    ]


async def _first(watch: ActiveBuildWatch, readiness: Readiness, begin: Callable[[], Awaitable[object]] | None) -> None:
    """Read builds and active builds, so that a healthy system serves from the first request on."""
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
            reason = str(error) or f"no answer from {asked} within {FIRST_S:g} s"
            log.info("starting: the builds were not looked at yet", error=reason)
            await asyncio.sleep(FIRST_AGAIN_S)
        else:
            return


def serve(arguments: argparse.Namespace) -> int:
    """Run everything, or the half that `only` names, until SIGTERM or SIGINT. Return the exit code."""
    return uvloop.run(_serve(read_settings(), arguments.only))


async def _serve(settings: Settings, only: Only | None) -> int:
    return_memory()
    service = build(settings, only)
    app = with_cors(service.app, settings.cors_origins)
    relax_collector()
    return await serve_until_signal(app, settings.query_host, settings.query_port, service.let_readers_go, settings)
