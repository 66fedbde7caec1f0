"""`GET /notes/{id}` per second: against a bare Starlette route doing the same `find_one`, and with a token."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from urllib.parse import urlsplit

from tools.bench.pair import Pair, cpu_seconds, running, watched
from tools.bench.results import Entry, judged, spread
from tools.bench.workload import Author
from tools.issuer.issuer import AUDIENCE, Issuer
from tools.sandbox import Program, started
from tools.stack.errors import StackError

NOTES = 2_000
MANY = 32
CONNECTIONS = {"": 1, f"_over_{MANY}": MANY}
READER = ("notes_query", "serve", "--only", "api")
ISSUER = "http://127.0.0.1:1"  # nobody is there: the keys come out of a file


@asynccontextmanager
async def _stored(addresses: dict[str, str]) -> AsyncIterator[tuple[Pair, list[str]]]:
    """Run ours with notes in it; give their ids, too, in the order in which they are asked for. Raises StackError."""
    stored = Author(seed=5).write(NOTES)
    ids = list(stored.expected)
    random.Random(1).shuffle(ids)  # noqa: S311 - data for a measurement
    async with running(addresses) as pair:
        await pair.store(stored)
        yield pair, ids


async def read_api(addresses: dict[str, str], rounds: int, seconds: float) -> Entry:
    """Return requests per second of both, which serve the same documents at the same time, and take turns.

    Over one connection, which has the goal, and over many. Raises StackError.
    """
    found: dict[str, list[float]] = {f"{who}{of}": [] for of in CONNECTIONS for who in ("ours", "bare")}
    async with _stored(addresses) as (pair, ids):
        collection = (await pair.documents("notes")).name
        bare = Program(pair.made, "bare-route", ("tools.bench.bare", "route", collection))
        urls = {"ours": pair.query.url, "bare": bare.url}
        async with started(bare):
            for url in urls.values():
                await requests_per_second(url, ids, 1.0)
            async with watched(pair.pids) as usage:
                turns = [(who, of) for _ in range(rounds) for of in CONNECTIONS for who in urls]
                for who, of in turns:
                    rate = await requests_per_second(urls[who], ids, seconds, connections=CONNECTIONS[of])
                    found[who + of].append(rate)
    figures = {name: {"requests_per_s": spread(rates)} for name, rates in found.items()}
    ratio = median(found["ours"]) / median(found["bare"])
    return judged({**figures, **usage}, {"bare route": ratio}, {"bare route": 0.8})


async def reads_with_token(addresses: dict[str, str], turns: int, seconds: float) -> Entry:
    """Return requests per second, mean latency and CPU time of a request, open and closed in turns.

    What is seen is the cost of a token that was verified before. The ratio is that of the CPU times, open to closed: it
    does not depend on what else the machine does. Raises StackError.
    """
    issuer = Issuer(ISSUER)
    token = issuer.token("bench", "bench", "notes.read", 3_600)["access_token"]
    headers = {"open": "", "closed": f"Authorization: Bearer {token}\r\n"}
    rates: dict[str, list[float]] = {name: [] for name in headers}
    costs: dict[str, list[float]] = {name: [] for name in headers}
    async with _stored(addresses) as (pair, ids):
        keys = pair.made.logs / "keys.json"
        keys.write_text(json.dumps({"keys": [key.jwk for key in issuer.keys]}))
        oidc = {"AUTH": "oidc", "OIDC_ISSUER": ISSUER, "OIDC_AUDIENCE": AUDIENCE, "OIDC_JWKS": str(keys)}
        settings = {"open": {}, "closed": {f"NOTES_{name}": value for name, value in oidc.items()}}
        programs = {name: Program(pair.made, name, READER, own) for name, own in settings.items()}
        async with started(*programs.values()):
            for turn in range(turns + 1):
                for name, program in programs.items():
                    before = cpu_seconds(program.running.pid)
                    rate = await requests_per_second(program.url, ids, seconds, headers[name])
                    if turn:  # the first one warms up
                        rates[name].append(rate)
                        costs[name].append((cpu_seconds(program.running.pid) - before) / (rate * seconds) * 1e6)
    figures = {
        name: {"requests_per_s": spread(of), "mean_ms": 1e3 * MANY / median(of), "cpu_us": spread(costs[name])}
        for name, of in rates.items()
    }
    ratio = median(costs["open"]) / median(costs["closed"])
    return judged(figures, {"without a token": ratio}, {"without a token": 0.97})


async def requests_per_second(
    url: str, ids: list[str], seconds: float, header: str = "", *, connections: int = MANY
) -> float:
    """Return how many `GET /notes/{id}` are answered in a second over kept-alive connections. Raises StackError."""
    started = time.perf_counter()
    shares = (ids[number::connections] for number in range(connections))
    counts = await asyncio.gather(*(_ask(url, share, started + seconds, header) for share in shares))
    return sum(counts) / (time.perf_counter() - started)


async def _ask(url: str, ids: list[str], until: float, header: str) -> int:
    """Ask one after the other. The client is as lean as it can be: the load must cost less than what it measures."""
    parts, asked = urlsplit(url), 0
    end = f"HTTP/1.1\r\nHost: {parts.netloc}\r\n{header}\r\n"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        while time.perf_counter() < until:
            writer.write(f"GET /notes/{ids[asked % len(ids)]} {end}".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].split(b"\r\n")[0]
            body = await reader.readexactly(int(length or 0))
            if head[9:12] != b"200" or b'"version"' not in body:
                raise StackError(f"answered {head[9:12]!r}: {body[:200]!r}")
            asked += 1
    finally:
        writer.close()
        await writer.wait_closed()
    return asked
