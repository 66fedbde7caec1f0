"""The HTTP side over the in-memory twin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from notes_query.application.get_command import GetCommand
from notes_query.application.get_note import GetNote
from notes_query.application.list_notes import ListNotes
from notes_query.entrypoints.health import Health
from notes_query.entrypoints.http.app import make_app
from notes_query.entrypoints.http.commands import command_routes
from notes_query.entrypoints.http.health import health_routes
from notes_query.entrypoints.http.notes import note_routes


@asynccontextmanager
async def nothing_to_run(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def app(side: Any, health: Health) -> FastAPI:
    async def ping() -> None:
        await side.notes.count_parked()

    routers = [
        note_routes(GetNote(side.notes, side.waiters), ListNotes(side.notes)),
        command_routes(GetCommand(side.outcomes, side.waiters)),
        health_routes(health, ping),
    ]
    return make_app(routers, nothing_to_run, "1.0.0")


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://query") as client:
        yield client
