"""The HTTP side over the in-memory twin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from query_support.memory_history import MemoryHistory

from notes_chassis.health import Health
from notes_chassis.http.places import Places
from notes_query.composition.http_app import make_app
from notes_query.http.health import health_routes, metrics_route
from notes_query.projecting.waiters import Waiters
from notes_query.reads.after import AfterCommand, Stored
from notes_query.reads.count_tags import tags_route
from notes_query.reads.get_body import GetBody, body_route
from notes_query.reads.get_command import GetCommand, command_route
from notes_query.reads.get_note import GetNote, note_route
from notes_query.reads.list_notes import ListNotes, list_route
from notes_query.reads.read_history import ReadHistory, history_route
from notes_query.reads.search_notes import SearchNotes, search_route


@asynccontextmanager
async def nothing_to_run(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
def building() -> list[str]:
    """Read models that are not complete."""
    return []


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def history() -> MemoryHistory:
    return MemoryHistory()


@pytest.fixture
def places() -> Places:
    return Places()


@dataclass
class Searching:
    """Searching is MongoDB's: here nothing is ever found; `refusal` is what the share says instead."""

    refusal: Exception | None = None

    async def __call__(self, search: Any, *, waited: bool = False) -> Any:  # noqa: ARG002 - nothing is read
        if self.refusal is not None:
            raise self.refusal
        return search(self)

    def ranks(self, *_: Any) -> list[Any]:
        return []

    def found(self, note_ids: Any) -> dict[str, Any]:
        raise AssertionError(note_ids)


@pytest.fixture
def searching() -> Searching:
    return Searching()


@pytest.fixture
def app(
    *, side: Any, health: Health, building: list[str], history: MemoryHistory, searching: Searching, places: Places
) -> FastAPI:
    async def ping() -> None:
        await side.notes.count_parked()

    get_note = GetNote(side.notes, side.waiters)
    documents = {"notes": Stored(side.waiters, side.notes.levels), "history": Stored(Waiters(), history.levels)}
    # What is searched is what is noted here.
    documents["search"] = documents["notes"]
    after = AfterCommand(Stored(side.outcome_waiters, side.outcomes.many), documents, places)
    routers = [
        command_route(GetCommand(side.outcomes, side.outcome_waiters), places),
        health_routes(health, ping, lambda: building),
        metrics_route(),
        list_route(ListNotes(side.notes), lambda: 1.26, after),
        search_route(SearchNotes(searching), lambda: None, after),
        tags_route(side.notes.tags, lambda: 1.26, after),
        history_route(ReadHistory(get_note, history), lambda: 0.0, after),
        note_route(get_note, places, after),
        body_route(GetBody(side.notes), after),
    ]
    return make_app(routers, nothing_to_run, "1.0.0")


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://query") as client:
        yield client
