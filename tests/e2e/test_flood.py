"""Thousands of hostile connections against both services, while normal clients are served."""

import asyncio
import re
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.e2e.pair import Pair
from tests.harness.dead_members import members_of
from tests.servers.addresses import Servers
from tools.stack.ports import any_port

FLOOD = 3_000
"""To each service; most are thrown out for other reasons before they are as many as it takes by default."""
CONNECTIONS = 1_000
BODIES = 8 * 1024 * 1024
SESSION_S = 8
FOR_S = SESSION_S + 1.0
"""Longer than Kafka waits for a consumer that says nothing."""
CLIENTS = 4
TYPICAL_S = 3.0
"""What half of the requests have to be served within. The others depend on what else the machine does: they are told
in docs/security.md, and have to be served at all."""
ANSWERED_S = 60.0
CONTEXT = ssl.create_default_context()
"""Made once: a client of httpx would make one each, which takes longer than the request."""
GROWTH_MAX = 400 * 1024 * 1024


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment |= {"NOTES_HTTP_CONNECTIONS": str(CONNECTIONS), "NOTES_HTTP_BODIES_BYTES": str(BODIES)}
    environment["NOTES_KAFKA_SESSION_MS"] = str(SESSION_S * 1000)
    return environment | {f"NOTES_{name}_OPS_PORT": str(any_port()) for name in ("COMMAND", "QUERY")}


@contextmanager
def flood(*urls: str) -> Iterator[None]:
    """Flood these addresses, from a process of its own."""
    argv = [sys.executable, "-m", "tests.harness.flood", str(FLOOD), *urls]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            for _ in urls:
                assert process.stdout.readline() == b"all have come\n"
            yield
        finally:
            process.kill()


def figures(seconds: list[float]) -> str:
    ranked = sorted(seconds)
    return f"p50 {median(ranked):.3f} s, p99 {ranked[int(len(ranked) * 0.99)]:.3f} s of {len(ranked)}"


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024


def assignments(pair: Pair) -> list[int]:
    return [one.log.read_text().count("partitions assigned") for one in (pair.command, pair.query)]


async def groups(pair: Pair, servers: Servers) -> dict[str, list[str]]:
    """Return the members of every consumer group of the pair."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    try:
        names = [name for name, *_ in await admin.list_consumer_groups() if name.startswith(pair.topics.commands)]
        return {name: sorted(await members_of(admin, name)) for name in names}
    finally:
        await admin.close()


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=ANSWERED_S, trust_env=False, verify=CONTEXT)


async def write_and_read(pair: Pair, took: list[float]) -> None:
    """Create a note, wait for it, and read it, each on a connection of its own."""
    note = str(uuid4())
    data = {"note_id": note, "title": "T", "body": "bread"}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{pair.command.url}/commands/create-note", {"json": data, "headers": {"Prefer": "wait=30"}}),
        ("GET", f"{pair.query.url}/notes/{note}?min_version=1&wait=10", {}),
        ("GET", f"{pair.query.url}/notes/{note}", {}),
        ("GET", f"{pair.query.url}/notes?limit=5", {}),
    ]
    for method, url, more in asked:
        begun = monotonic()
        async with client() as http:
            answer = await http.request(method, url, **more)
        took.append(monotonic() - begun)
        assert answer.status_code == 200, (url, answer.text)


async def ask_ops(pair: Pair, took: list[float], memory: dict[int, list[int]]) -> None:
    for name, service in (("COMMAND", pair.command), ("QUERY", pair.query)):
        memory[service.pid].append(resident(service.pid))
        for path in ("livez", "readyz", "metrics"):
            begun = monotonic()
            async with client() as http:
                answer = await http.get(f"http://127.0.0.1:{pair.environment[f'NOTES_{name}_OPS_PORT']}/{path}")
            took.append(monotonic() - begun)
            assert answer.status_code == 200, answer.text


async def until_it_is_over(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        await work()


async def refusals(http: httpx.AsyncClient, pair: Pair, name: str) -> dict[str, float]:
    text = (await http.get(f"http://127.0.0.1:{pair.environment[f'NOTES_{name}_OPS_PORT']}/metrics")).text
    return {limit: float(n) for limit, n in re.findall(r'notes_http_refused_total\{limit="(\w+)"\} (\S+)', text)}


@pytest.mark.timeout(300)
async def test_a_flood_holds_up_no_client_no_consumer_and_no_probe(pair: Pair, servers: Servers) -> None:
    served: list[float] = []
    ops: list[float] = []
    memory: dict[int, list[int]] = {pair.command.pid: [], pair.query.pid: []}
    large = str(uuid4())
    async with client() as http:
        data = {"note_id": large, "title": "T", "body": "\u2603" * 100_000}
        await http.post(f"{pair.command.url}/commands/create-note", json=data, headers={"Prefer": "wait=10"})
        assert (await http.get(f"{pair.query.url}/notes/{large}?min_version=1&wait=10")).status_code == 200
        calm: list[float] = []
        await until_it_is_over(lambda: write_and_read(pair, calm), 2.0)
        await ask_ops(pair, [], memory)
        before = await groups(pair, servers), assignments(pair)
        assert all(before[0].values())

        with flood(f"{pair.command.url}/notes/{large}", f"{pair.query.url}/notes/{large}/body"):
            coming: list[float] = []
            await write_and_read(pair, coming)  # behind thousands that have come at once
            async with asyncio.TaskGroup() as clients:
                for _ in range(CLIENTS):
                    clients.create_task(until_it_is_over(lambda: write_and_read(pair, served), FOR_S))
                clients.create_task(until_it_is_over(lambda: ask_ops(pair, ops, memory), FOR_S))
            refused = {name: await refusals(http, pair, name) for name in ("COMMAND", "QUERY")}
            after = await groups(pair, servers), assignments(pair)

    growth = {pid: max(seen) - seen[0] for pid, seen in memory.items()}
    print(  # noqa: T201 - the figures of docs/security.md
        f"calm {figures(calm)}; while it comes at most {max(coming):.3f} s; flooded {figures(served)}; "
        f"ops {figures(ops)}; memory {[(seen[0] >> 20, max(seen) >> 20) for seen in memory.values()]} MiB; "
        f"refused {refused}"
    )
    assert after == before, "a consumer left its group"
    assert median(served) < TYPICAL_S
    assert median(ops) < TYPICAL_S
    assert max(growth.values()) < GROWTH_MAX
    assert min(refused["COMMAND"][limit] for limit in ("gave_way", "bodies")) > 0
    assert refused["QUERY"]["gave_way"] > 0
