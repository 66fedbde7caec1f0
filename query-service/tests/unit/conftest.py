"""The HTTP side over the in-memory twin, and the beginning of builds in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from query_support.fixtures import Samples, Side
from query_support.memory_builds import FIRST, MemoryBuilds, MemoryTopic, Prepared
from query_support.memory_history import MemoryHistory

from notes_chassis.health import Health
from notes_chassis.http.body import Places
from notes_query.composition.http_app import health_routes, make_app, metrics_route
from notes_query.projecting.waiters import Waiters
from notes_query.reads.after import AfterCommand, Stored
from notes_query.reads.count_tags import tags_route
from notes_query.reads.get_body import GetBody, body_route
from notes_query.reads.get_command import command_route
from notes_query.reads.get_note import GetNote, note_route
from notes_query.reads.list_notes import ListNotes, Page, list_route
from notes_query.reads.read_history import ReadHistory, history_route
from notes_query.reads.search_notes import SearchNotes, search_route
from notes_query.rebuilding.begin_builds import BeginBuilds


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
def places(side: Side) -> Places:
    """The places of those who wait, in this test."""
    places = Places(100)
    for waiters in (side.waiters, side.outcome_waiters):
        waiters._slot = places.one
    return places


@dataclass
class Searching:
    """Searching is MongoDB's: here nothing is ever found; `refusal` is what the share says instead."""

    refusal: Exception | None = None

    async def run(self, _: Any, *, waited: bool) -> Page:  # noqa: ARG002 - nothing is read
        if self.refusal is not None:
            raise self.refusal
        return Page((), None)


@pytest.fixture
def searching() -> Searching:
    return Searching()


class MemoryList(ListNotes):
    """The query over the twin."""

    def __init__(self, notes: Any) -> None:
        self.page, self.some = notes.page, notes.some


class MemoryVersions(ReadHistory):
    """The query over the twin."""

    def __init__(self, get_note: GetNote, history: MemoryHistory) -> None:
        self._get_note, self.entries = get_note, history.entries


class Part:
    """A part of the test that runs: routes are made once for all, which takes longer than most tests."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(_OF_THIS_TEST[self._name], name)

    def __call__(self, *values: Any, **named: Any) -> Any:
        return _OF_THIS_TEST[self._name](*values, **named)


_OF_THIS_TEST: dict[str, Any] = {}


@cache
def one_app() -> FastAPI:
    after, get_note = Part("after"), Part("get_note")
    routers = [
        command_route(Part("outcomes")),
        health_routes(Part("health"), Part("ping"), Part("building")),
        metrics_route(),
        list_route(Part("list_notes"), lambda: 1.26, after),
        search_route(Part("search_notes"), lambda: None, after),
        tags_route(Part("tags"), lambda: 1.26, after),
        history_route(Part("read_history"), lambda: 0.0, after),
        note_route(get_note, after),
        body_route(Part("get_body"), after),
    ]
    return make_app(routers, nothing_to_run, "1.0.0")


@pytest.fixture
def app(*, side: Side, health: Health, building: list[str], history: MemoryHistory, searching: Searching) -> FastAPI:
    async def ping() -> None:
        await side.notes.count_parked()

    get_note = GetNote(side.notes, side.waiters)
    outcomes = Stored(side.outcome_waiters, side.outcomes.many, 5)
    documents = {"notes": Stored(side.waiters, side.notes.many, 5), "history": Stored(Waiters(), history.many, 5)}
    # What is searched is what is noted here.
    documents["search"] = documents["notes"]
    _OF_THIS_TEST.update(
        after=AfterCommand(outcomes, documents),
        health=health,
        ping=ping,
        building=lambda: building,
        outcomes=outcomes,
        list_notes=MemoryList(side.notes),
        search_notes=SearchNotes(searching),
        tags=side.notes.tags,
        read_history=MemoryVersions(get_note, history),
        get_note=get_note,
        get_body=GetBody(side.notes, side.waiters),
    )
    return one_app()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://query") as client:
        yield client


@pytest.fixture
def topic() -> MemoryTopic:
    return MemoryTopic()


@pytest.fixture
def store() -> MemoryBuilds:
    return MemoryBuilds(FIRST)


@pytest.fixture
def begin(topic: Any, store: Any, samples: Samples) -> BeginBuilds:
    return BeginBuilds(store, topic, FIRST, Prepared(), "group", lambda: samples.start)
