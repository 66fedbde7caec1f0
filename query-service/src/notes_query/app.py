"""One process of the service: the projector, the HTTP API, or both."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Final, Literal, NamedTuple

import httpx
import structlog
import uvloop
from fastapi import APIRouter, FastAPI

from notes_chassis.access.authentication import authentication
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
from notes_query.composition import monitoring
from notes_query.composition.http_app import NEEDED, asyncapi_document, health_routes, make_app, metrics_route
from notes_query.composition.indexes import need_indexes
from notes_query.composition.monitoring import forks_of, gaps_in, redrive_of
from notes_query.composition.projector import build_feeds, feed_outcomes
from notes_query.composition.shared import Shared, now
from notes_query.errors import NotesQueryError
from notes_query.live.changes import live_changes
from notes_query.monitoring.maintenance import Maintenance, Periodic
from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import ReadModel
from notes_query.reads.routers import read_routers
from notes_query.rebuilding.active_builds import ActiveBuildWatch, Readiness
from notes_query.repairing.dead_letter_relay import POLL_S, DeadLetterRelay, DeadLetterTopic
from notes_query.repairing.dead_letter_routes import dead_letter_routes
from notes_query.repairing.gap_routes import gap_routes
from notes_query.repairing.missing_versions import MissingVersions
from notes_query.settings import Settings, read_settings

log = structlog.get_logger()

VERSION: Final = version("notes-query")
FIRST_S: Final = 4.0
"""How long the first look at builds and active builds may hold up the start."""
FIRST_AGAIN_S: Final = 0.2
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
    shared = Shared(settings, read_models, start("notes-query", VERSION, valid_trace))
    projects, answers = only != "api", only != "projector"
    tasks: dict[str, Step] = {}
    closing: list[Step] = []
    let_go: list[Callable[[], None]] = [waiters.close for waiters in shared.waiters.values()]
    access = authentication(settings, shared.health, settings)
    if access is not None:
        tasks["token keys"] = access.keep_keys
        closing.append(access.client.aclose)
    command_service = _command_service(settings)
    if command_service is not None:
        closing.append(command_service.aclose)

    feeds = build_feeds(shared) if projects else None
    if feeds is not None:
        topic = DeadLetterTopic(shared.cluster, settings.topic_event_dead_letters)
        tasks["builds"] = feeds.run
        tasks["outcomes"] = feed_outcomes(shared).run
        relay = DeadLetterRelay(shared.dead_letters, topic, now, shared.health)
        tasks["dead letters"] = Periodic("dead letters", relay.step, POLL_S).run
        tasks |= monitoring.projecting(shared, command_service, access)
        closing.append(topic.close)
    watch = ActiveBuildWatch(
        shared.instance,
        shared.builds,
        shared.served,
        feeds=lambda: [] if feeds is None else feeds.numbers,
        answers=answers,
        changed=[shared.switched] if feeds is None else [shared.switched, feeds.rename],
        looked=(lambda _: None) if feeds is None else feeds.looked,
    )
    tasks["active builds"] = Periodic("active builds", watch.step, watch.pause_s).run
    closing.append(watch.leave)
    readiness = Readiness(shared.read_models, shared.builds, shared.topic, shared.served)
    routers: list[APIRouter] = []
    if answers:
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
            lag={projector: freshness.seconds for projector, freshness in shared.lag.items()},
            command_service=command_service,
        )
        routers += [live.router, *reads, *_admin_routers(shared)]
        tasks |= {f"wakes of {kind}": one.run for kind, one in shared.wakes.items()} | {
            "readiness": Periodic("readiness", readiness.step, readiness.pause_s).run
        }
    maintenance = Maintenance(
        shared.health, shared.ask_kafka, lambda: need_indexes(shared.database), list if feeds is None else feeds.folds
    )
    tasks |= monitoring.everywhere(shared, maintenance)
    tasks["topics"] = TopicCheck(shared.cluster, settings.topics, shared.health).run
    closing += [shared.inquiry.close, shared.topic.close, shared.database.close]
    closing += [] if shared.tracing is None else [shared.tracing.close]

    begin = None if feeds is None else feeds.begin
    process = Process(tasks, tuple(closing), shared.supervisor, lambda: _first(watch, readiness, begin))
    # Also of a projector alone: the one of the release before it feeds what is served until then.
    missing = readiness.missing if answers else readiness.incomplete
    show_readiness(shared.health, NEEDED)
    operations = [health_routes(shared.health, shared.database.ping, missing), metrics_route()]
    tasks["ops listener"] = OpsListener(operations, settings.query_host, settings.query_ops_port).run
    if access is not None:
        operations.pop()
    document = asyncapi_document(settings, VERSION)
    routers += [*operations, asyncapi_routes(document, page(document))]
    tokens = None if access is None else access.tokens
    return Service(
        make_app(routers, process.lifespan, VERSION, tokens, shared.tracing), process, partial(_each, let_go)
    )


def _each(steps: Sequence[Callable[[], None]]) -> None:
    for step in steps:
        step()


def _command_service(settings: Settings) -> httpx.AsyncClient | None:
    """Return a client of command-service that goes straight there: no proxy of the environment, no redirect."""
    if settings.command_url is None:
        return None
    limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
    timeout_s = settings.query_write_store_timeout_s
    return httpx.AsyncClient(base_url=settings.command_url, timeout=timeout_s, limits=limits, trust_env=False)


def _admin_routers(shared: Shared) -> list[APIRouter]:
    """Return administration over HTTP: what the command line does, in this process."""
    gaps, missing = gaps_in(shared, building=True), MissingVersions(shared.database)
    return [
        dead_letter_routes(shared.dead_letters, lambda: redrive_of(shared), Intake(shared.settings), now),
        gap_routes(gaps, lambda: forks_of(shared), missing),
    ]


async def _first(watch: ActiveBuildWatch, readiness: Readiness, begin: Callable[[], Awaitable[object]] | None) -> None:
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


def serve(arguments: argparse.Namespace) -> int:
    """Run everything, or the half that was asked for, until SIGTERM or SIGINT; return the exit code."""
    return uvloop.run(_serve(read_settings(), arguments.only))


async def _serve(settings: Settings, only: Only | None) -> int:
    return_memory()
    service = build(settings, only)
    app = with_cors(service.app, settings.cors_origins)
    relax_collector()
    return await serve_until_signal(app, settings.query_host, settings.query_port, service.let_readers_go, settings)
