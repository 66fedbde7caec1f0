"""PostgreSQL keeps its connections and answers nothing, as when its disk or its machine hangs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client import REGISTRY

from notes_command import app
from notes_command.app import ANSWER_S
from notes_contracts import CreateNote
from tests.harness.kafka_io import command, new_id
from tests.harness.proxy import Proxy, proxied
from tests.harness.waiting import eventually

PLACE = "notes.commands:0:0"
ASKED: dict[str, tuple[str, dict[str, Any] | None]] = {
    "republish": ("/admin/republish", {"note_id": new_id()}),
    "redrive": ("/admin/dead-letters/redrive", {"ids": [PLACE]}),
    "drop dead letters": ("/admin/dead-letters/drop", {"ids": [PLACE]}),
    "unpark": ("/admin/outbox/unpark", {"note_id": new_id()}),
    "drop parked rows": ("/admin/outbox/drop", {"note_id": new_id()}),
    "GET a note": (f"/notes/{new_id()}", None),
    "GET an outcome": (f"/commands/{new_id()}", None),
    "GET the outbox": ("/admin/outbox", None),
    "GET dead letters": ("/admin/dead-letters", None),
    "GET a dead letter": (f"/admin/dead-letters/{PLACE}", None),
}


@asynccontextmanager
async def through_proxy(write_side: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Proxy]]:
    """Run an instance that has decided a command, so that it has connections."""
    address = urlsplit(write_side.settings.postgres)
    async with proxied(address.hostname or "", address.port or 0) as postgres:
        through = write_side.settings.postgres.replace(f":{address.port}/", f":{postgres.port}/")
        async with write_side.running(postgres=through) as http:
            await write_side.publish([command(CreateNote(note_id=new_id(), title="Before"))])
            await write_side.outcomes(1)
            await eventually(lambda: unwell(http), lambda found: not found)
            try:
                yield http, postgres
            finally:
                postgres.go_on()


async def unwell(http: httpx.AsyncClient) -> dict[str, str]:
    """Return the parts that are not well, with their reasons."""
    parts = (await http.get("/readyz")).json()["parts"]
    return {name: part["reason"] for name, part in parts.items() if not part["ok"]}


async def test_readiness_tells_within_seconds_and_the_batch_in_hand_goes_on_later(write_side: Any) -> None:
    async with through_proxy(write_side) as (http, postgres):
        restarted = REGISTRY.get_sample_value("notes_command_waits_total", {"reason": "Unavailable"})
        postgres.hang()
        await write_side.publish([command(CreateNote(note_id=new_id(), title="During"))])
        found = await eventually(lambda: unwell(http), lambda found: "postgres" in found, within_s=5)
        assert found["postgres"] == "no answer within 1.5 s"
        found = await eventually(lambda: unwell(http), lambda found: {"consumer", "relay"} <= found.keys(), within_s=8)
        assert "has waited 3 s for an answer" in found["consumer"]
        assert "has not answered for 3 s" in found["relay"]
        assert REGISTRY.get_sample_value("notes_command_waiting") == 1

        postgres.go_on()
        assert len(await write_side.outcomes(2)) == 2
        await eventually(lambda: unwell(http), lambda found: not found)
        assert REGISTRY.get_sample_value("notes_command_waiting") == 0
        assert REGISTRY.get_sample_value("notes_command_waits_total", {"reason": "Unavailable"}) == restarted


async def test_whoever_asks_over_http_is_answered_within_seconds(
    write_side: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More at once than there are connections: the wait for one counts as well."""
    monkeypatch.setattr(app, "REDRIVE_S", ANSWER_S)  # it has more time, since it may move hundreds of megabytes
    took: dict[str, float] = {}
    path, _ = ASKED["GET a note"]
    async with through_proxy(write_side) as (http, postgres):
        await asyncio.gather(*(http.get(path) for _ in range(10)))  # what hangs then is statements, not only connecting
        postgres.hang()

        async def ask(name: str) -> httpx.Response:
            where, body = ASKED[name]
            asked_at = time.monotonic()
            answer = await (http.get(where) if body is None else http.post(where, json=body))
            took[name] = time.monotonic() - asked_at
            return answer

        answers = dict(zip(ASKED, await asyncio.gather(*map(ask, ASKED)), strict=True))
        for name, answer in answers.items():
            assert (answer.status_code, answer.json().get("code")) == (503, "unavailable"), name
            assert answer.headers["content-type"] == "application/problem+json", name
        assert max(took.values()) < ANSWER_S + 4, took

        postgres.go_on()
        await eventually(lambda: http.get(path), lambda answer: answer.status_code == 404)
