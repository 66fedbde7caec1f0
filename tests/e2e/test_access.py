"""The pair as it is by default, closed: what a token may do, who did it, and what is left when the issuer is away."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.e2e.pair import Make, Pair
from tests.harness.issuer_process import IssuerProcess, issuer_process
from tools.issuer.app import SECRET
from tools.stack.ports import any_port

WITHIN_S = 20.0
PAGE = "https://notes.example.com"


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[IssuerProcess]:
    with issuer_process(tmp_path / "issuer.log") as issuer:
        yield issuer


@pytest.fixture
def environment(environment: dict[str, str], issuer: IssuerProcess) -> dict[str, str]:
    return environment | {
        **issuer.settings,
        "NOTES_COMMAND_OPS_PORT": str(any_port()),
        "NOTES_QUERY_OPS_PORT": str(any_port()),
        "NOTES_QUERY_CLIENT_ID": "query-service",
        "NOTES_QUERY_CLIENT_SECRET": SECRET,
        "NOTES_CORS_ORIGINS": PAGE,
    }


async def test_a_note_from_the_one_side_to_the_other_in_somebodys_name(pair: Pair, issuer: IssuerProcess) -> None:
    write, read = issuer.token("notes.write", subject="Zoë"), issuer.token("notes.read", subject="Zoë")
    note = str(uuid4())
    async with httpx.AsyncClient(trust_env=False) as http:
        data = {"note_id": note, "title": "T"}
        for headers, status in (({}, 401), (read, 403), ({"Authorization": "Bearer x"}, 401)):
            answer = await http.post(f"{pair.command.url}/commands/create-note", json=data, headers=headers)
            assert answer.status_code == status
        created = await http.post(
            f"{pair.command.url}/commands/create-note", json=data, headers={**write, "Prefer": "wait=20"}
        )
        assert (created.status_code, created.json()["version"]) == (200, 1)

        address = f"{pair.query.url}/notes/{note}"
        for headers, status in (({}, 401), (write, 403), (read, 200)):
            assert (await http.get(f"{address}?min_version=1&wait=10", headers=headers)).status_code == status
        async with asyncio.timeout(WITHIN_S):
            while not (items := (await http.get(f"{address}/history", headers=read)).json()["items"]):
                await asyncio.sleep(0.05)
        assert [(item["version"], item["actor"]) for item in items] == [(1, "Zoë")]
        pair.environment["NOTES_QUERY_OPS_PORT"] = "0"
        asking = pair.another("query")  # one that was told where the other side is
        await asyncio.to_thread(asking.start)
        stale = f"{asking.url}/notes/{note}?min_version=9&wait=0&on_stale=write-store"
        later = await http.get(stale, headers=read)
        assert (later.status_code, later.headers["consistency"]) == (200, "write-store")

        admin = f"{pair.command.url}/admin/republish"
        assert (await http.post(admin, json={"note_id": note}, headers=write)).status_code == 403
        assert (await http.post(admin, json={"note_id": note}, headers=issuer.token("notes.admin"))).status_code == 202


async def test_figures_are_on_the_ops_listener_alone(pair: Pair, issuer: IssuerProcess) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        for service, port in ((pair.command, "NOTES_COMMAND_OPS_PORT"), (pair.query, "NOTES_QUERY_OPS_PORT")):
            ops = f"http://127.0.0.1:{pair.environment[port]}"
            for path in ("/livez", "/readyz", "/metrics"):
                assert (await http.get(ops + path)).status_code == 200
            assert (await http.get(f"{service.url}/metrics", headers=issuer.token())).status_code == 404
            assert (await http.get(f"{ops}/openapi.json")).status_code == 404
            assert (await http.get(f"{service.url}/openapi.json")).status_code == 200


async def test_a_stream_of_changes_ends_with_its_token(pair: Pair, issuer: IssuerProcess) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        headers = issuer.token("notes.read", lasts=2)
        began = time.monotonic()
        async with http.stream("GET", f"{pair.query.url}/notes/changes", headers=headers) as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_bytes():
                pass
        assert time.monotonic() - began < WITHIN_S


async def test_a_stream_of_changes_ends_when_its_key_is_withdrawn(pair: Pair, issuer: IssuerProcess) -> None:
    headers, address = issuer.token("notes.read"), f"{pair.query.url}/notes/changes"
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http, asyncio.timeout(WITHIN_S):
        async with http.stream("GET", address, headers=headers) as answer:
            assert answer.status_code == 200
            await http.post(f"{issuer.url}/rotate?keep=0")
            # The new key is unknown, so that the service looks at once.
            assert (await http.get(f"{pair.query.url}/notes", headers=issuer.token())).status_code == 200
            async for _ in answer.aiter_bytes():
                pass
        assert (await http.get(address, headers=headers)).status_code == 401


async def test_what_goes_on_while_the_issuer_is_away(pair: Pair, issuer: IssuerProcess, make_service: Make) -> None:
    known, fresh = issuer.token(), issuer.token(subject="another")
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{pair.query.url}/notes", headers=known)).status_code == 200
        issuer.stop()
        for headers in (known, fresh):  # the keys are kept, so a token never seen before is good as well
            assert (await http.get(f"{pair.query.url}/notes", headers=headers)).status_code == 200
            data = {"title": "T"}
            answer = await http.post(f"{pair.command.url}/commands/create-note", json=data, headers=headers)
            assert answer.status_code == 202

        pair.environment["NOTES_COMMAND_OPS_PORT"] = "0"
        late = make_service("command")
        late.start(wait=False)
        async with asyncio.timeout(WITHIN_S):
            while True:
                with suppress(httpx.TransportError):
                    ready = await http.get(f"{late.url}/readyz")
                    if ready.json()["parts"].get("token keys", {}).get("reason", "not read yet") != "not read yet":
                        break
                await asyncio.sleep(0.05)
        assert ready.status_code == 503
        answer = await http.get(f"{late.url}/notes/{uuid4()}", headers=known)
        assert (answer.status_code, answer.json()["code"], "retry-after" in answer.headers) == (
            503,
            "unavailable",
            True,
        )
        assert (await http.get(f"{late.url}/notes/{uuid4()}")).status_code == 401


@pytest.mark.parametrize("name", ["command", "query"])
def test_without_issuer_or_audience_a_service_says_so_and_does_not_start(make_service: Make, name: str) -> None:
    service = make_service(name)
    service._environment.pop("NOTES_OIDC_AUDIENCE")
    service.start(wait=False)
    assert service._process is not None
    assert service._process.wait(WITHIN_S) == 2
    (line,) = service.log.read_text().splitlines()
    assert line.startswith("NOTES_OIDC_ISSUER and NOTES_OIDC_AUDIENCE are needed")
    service._environment.pop("NOTES_AUTH")  # closed is the default
    service.start(wait=False)
    assert service._process.wait(WITHIN_S) == 2


def test_switched_off_by_name_a_service_warns(make_service: Make) -> None:
    service = make_service("query")
    service._environment["NOTES_AUTH"] = "none"
    service.start()
    assert service.log.read_text().count("authentication is off") == 1


async def test_a_page_asks_beforehand_without_a_token_and_sees_its_errors(pair: Pair) -> None:
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, prefer",
    }
    async with httpx.AsyncClient(trust_env=False) as http:
        for url in (f"{pair.command.url}/commands/create-note", f"{pair.query.url}/notes"):
            for origin, allowed in ((PAGE, PAGE), ("https://evil.example", None)):
                asked = await http.options(url, headers=preflight | {"Origin": origin})
                refused = await http.post(url, headers={"Origin": origin}, json={})
                assert refused.status_code == 401
                for answer in (asked, refused):
                    assert answer.headers.get("access-control-allow-origin") == allowed
                    assert "access-control-allow-credentials" not in answer.headers
