"""The HTTP side over the in-memory twin, with a topic that may have a working pipeline behind it."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from command_support.builders import NOW, TOPICS, new_id
from command_support.kafka_records import record
from command_support.memory.database import MemoryDatabase
from command_support.memory.snapshots import MemorySnapshots
from command_support.memory.store import MemoryStore
from command_support.parked_rows import Rows
from command_support.stored_dead_letters import DeadLettersAsked
from fastapi import APIRouter, FastAPI

from notes_chassis.access.tokens import Tokens
from notes_chassis.health import Health
from notes_chassis.http.body import Intake, Places
from notes_chassis.tracing.spans import Tracing
from notes_command.commands import HANDLERS, Handlers
from notes_command.dead_letters.routes import dead_letter_routes
from notes_command.errors import TopicUnavailable
from notes_command.gateway.app import create_app, metrics_routes, probe_routes
from notes_command.gateway.commands import command_routes
from notes_command.gateway.notes import note_routes
from notes_command.gateway.outcomes import OutcomeWaiters
from notes_command.outbox.routes import outbox_routes
from notes_command.pipeline.decode import decode
from notes_command.pipeline.process import BatchProcessor
from notes_command.snapshots.routes import admin_routes
from notes_contracts import Written


@dataclass
class HttpSide:
    """Stands in for the topic of commands. `working`: commands are processed as soon as they are sent.

    `own_routes`: no other test uses them, so that they remember no other.
    """

    working: bool = True
    away: str | None = None
    refuses: Exception | None = None
    handlers: Handlers = field(default_factory=lambda: HANDLERS)
    sent: list[Written] = field(default_factory=list)
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    health: Health = field(default_factory=Health)
    intake: Intake = field(default_factory=Intake)
    places: Places = field(default_factory=lambda: Places(100))
    tokens: Tokens | None = None
    dead_letters: DeadLettersAsked = field(default_factory=lambda: DeadLettersAsked([]))
    outbox: Rows = field(default_factory=Rows)
    own_routes: bool = False
    tracing: Tracing | None = None

    def __post_init__(self) -> None:
        self.topic = self
        self.store = MemoryStore(self.database, TOPICS)
        self.snapshots = MemorySnapshots(self.database, TOPICS.events)
        self.waiters = OutcomeWaiters(self.store)
        own = self.tokens or self.own_routes or self.tracing
        self.app = create_app(routes(), tokens=self.tokens, tracing=self.tracing) if own else open_app()
        said = {"Content-Type": "application/json"}
        self.client = httpx.AsyncClient(transport=Transport(self), base_url="http://command", headers=said)

    async def send(self, written: Written) -> None:
        await self.check()
        if self.refuses is not None:
            raise self.refuses
        self.sent.append(written)
        if self.working:
            await self.work()

    async def check(self) -> None:
        if self.away:
            raise TopicUnavailable(self.away)

    async def work(self) -> None:
        """Process everything that was sent, as the consumer would."""
        batch = [
            decode(record(one.value, key=one.key, headers=one.headers, offset=offset))
            for offset, one in enumerate(self.sent)
        ]
        processor = BatchProcessor(self.store, now=lambda: NOW, new_id=new_id, handlers=self.handlers)
        await processor.process(batch)
        await self.waiters.answer()

    async def post(self, name: str, data: Any, **headers: str) -> httpx.Response:
        """Send a command; header names are written with underscores."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return await self.client.post(f"/commands/{name}", json=data, headers=named)


class Transport(httpx.ASGITransport):
    """Says whose client asks."""

    def __init__(self, side: HttpSide) -> None:
        super().__init__(side.app, raise_app_exceptions=False)
        self._side = side

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        before = ASKED.set(self._side)
        try:
            return await super().handle_async_request(request)
        finally:
            ASKED.reset(before)


ASKED: ContextVar[HttpSide] = ContextVar("ASKED")


@dataclass(frozen=True)
class Part:
    """A part of the side whose client asks: routes are made once for all, which takes longer than most tests."""

    of_side: str

    def __getattr__(self, name: str) -> Any:
        def later(*given: Any, **named: Any) -> Any:
            return getattr(self, name)(*given, **named)

        if ASKED.get(None) is None:  # the routes are being made, and take a method for later
            return later
        return getattr(getattr(ASKED.get(), self.of_side), name)


def routes() -> list[APIRouter]:
    topic, waiters, intake, places, store, health, snapshots, dead_letters, outbox = map(
        Part, ("topic", "waiters", "intake", "places", "store", "health", "snapshots", "dead_letters", "outbox")
    )
    return [
        command_routes(topic, waiters, intake, places),
        note_routes(store),
        probe_routes(health, topic),
        metrics_routes(),
        admin_routes(snapshots, intake),
        dead_letter_routes(dead_letters, intake, dead_letters),
        outbox_routes(outbox, intake),
    ]


@cache
def open_app() -> FastAPI:
    return create_app(routes())


def problem(response: httpx.Response) -> dict[str, Any]:
    """Return the problem document, which has to agree with the response that carries it."""
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == response.status_code
    assert document.keys() >= {"type", "title", "status", "code", "detail"}
    return document
