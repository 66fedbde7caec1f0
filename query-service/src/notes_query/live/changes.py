"""The stream of changes, put together."""

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from fastapi import APIRouter

from notes_chassis.health import Health
from notes_query.live import metrics
from notes_query.live.hub import Hub
from notes_query.live.ports import Passed
from notes_query.live.routes import change_routes
from notes_query.live.stored_changes import MongoChanges
from notes_query.live.streams import Streams
from notes_query.live.tail import KafkaEventTopic
from notes_query.mongo.database import Database
from notes_query.projecting.ports import version_of
from notes_query.projecting.serving import Serving
from notes_query.projections.note import SHAPE
from notes_query.settings import Settings

PART = "changes"


class Live(NamedTuple):
    """`router` has to be included before the one of a note; `run` is a task of the process, `close` lets clients go."""

    router: APIRouter
    run: Callable[[], Awaitable[None]]
    close: Callable[[], None]


def live_changes(settings: Settings, database: Database, serving: Serving, passed: Passed, health: Health) -> Live:
    """Return what serves `GET /notes/changes`. `passed` tells how far the projector of the served notes is."""
    documents = MongoChanges(database, lambda: serving.collection(SHAPE.name), version_of)

    def report(reason: str | None) -> None:
        health.report(PART, ok=reason is None, reason=reason)

    hub = Hub(KafkaEventTopic(settings.kafka, settings.topic_events), documents.levels, passed, time.monotonic, report)
    streams = Streams(hub, serving, settings.query_streams, slow=metrics.SLOW.inc)
    metrics.STREAMS.set_function(streams.__len__)
    metrics.HELD.set_function(lambda: 0 if hub.holding is None else hub.holding.waiting)
    metrics.APART.set_function(lambda: 0 if hub.holding is None else hub.holding.apart)
    return Live(change_routes(streams), hub.run, streams.close)
