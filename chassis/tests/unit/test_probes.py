"""Readiness looks at the servers for whoever asks, and not once for each of thousands."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import generate_latest

from notes_chassis.health import Health
from notes_chassis.http import probes
from notes_chassis.http.probes import SPARE_CHECKS, probe_routes, show_readiness
from tests.harness.waiting import eventually


class Server:
    """What is looked at."""

    def __init__(self) -> None:
        self.well, self.looks = True, 0
        self.health = Health()
        app = FastAPI()
        app.include_router(probe_routes(self.health, ["server"], self.look, "?", "away"))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://probed")

    async def look(self) -> None:
        self.looks += 1
        seen = self.well
        await asyncio.sleep(0.01)
        self.health.report("server", ok=seen)

    async def ask(self) -> int:
        return (await self.client.get("/readyz")).status_code


@pytest.fixture
def server() -> Server:
    return Server()


async def test_all_who_ask_meanwhile_share_one_look(server: Server) -> None:
    assert set(await asyncio.gather(*(server.ask() for _ in range(100)))) == {200}
    assert server.looks <= 2


async def test_who_asks_now_and_then_sees_what_is_so_now(server: Server) -> None:
    for well in (True, False, False, True):
        server.well = well
        assert await server.ask() == (200 if well else 503)
    assert server.looks == 4


async def test_a_flood_looks_twice_a_second_and_sees_a_change_within_half_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(probes, "monotonic", lambda: now)
    server = Server()
    for _ in range(300):
        assert await server.ask() == 200
    assert server.looks == SPARE_CHECKS

    server.well = False
    now += 0.9 * probes.CHECK_S
    assert await server.ask() == 200
    now += 0.2 * probes.CHECK_S
    assert [await server.ask() for _ in range(100)] == [503] * 100
    assert server.looks == SPARE_CHECKS + 1


async def test_who_goes_away_does_not_end_the_look_of_the_others(server: Server) -> None:
    gone, stays = asyncio.create_task(server.ask()), asyncio.create_task(server.ask())
    await eventually(lambda: server.looks)
    gone.cancel()
    assert await stays == 200
    assert server.looks == 1


async def test_what_readiness_says_is_a_metric(server: Server) -> None:
    def metrics() -> list[str]:
        return [
            line for line in generate_latest().decode().splitlines() if line.startswith(("notes_ready", "notes_part"))
        ]

    show_readiness(server.health, ["server"])
    assert "notes_ready 0.0" in metrics(), "before anything was looked at"
    for well, shown in ((True, "1.0"), (False, "0.0"), (True, "1.0")):
        server.well = well
        await server.ask()
        assert {f"notes_ready {shown}", f'notes_part_ok{{part="server"}} {shown}'} <= set(metrics())
    server.health.report("consumer", ok=False, unready=True)
    assert {"notes_ready 0.0", 'notes_part_ok{part="consumer"} 0.0'} <= set(metrics())
    server.health.forget("consumer")
    server.health.forget("consumer")
    assert "notes_ready 1.0" in metrics()
    assert not [line for line in metrics() if "consumer" in line]
