"""`GET /notes/{id}` per second, against a bare Starlette route doing the same `find_one`."""

import asyncio
import random
import time
from statistics import median
from urllib.parse import urlsplit

from tools.bench.pair import running, watched
from tools.bench.results import Entry, judged, spread
from tools.bench.workload import Author
from tools.sandbox import Program, RunError

NOTES = 2_000
MANY = 32
CONNECTIONS = {"": 1, f"_over_{MANY}": MANY}


async def read_api(addresses: dict[str, str], rounds: int, seconds: float) -> Entry:
    """Return requests per second of both, which serve the same documents at the same time, and take turns.

    Over one connection, which has the goal, and over many. Raises RunError.
    """
    stored = Author(seed=5).write(NOTES)
    found: dict[str, list[float]] = {f"{who}{of}": [] for of in CONNECTIONS for who in ("ours", "bare")}
    async with running(addresses) as pair:
        await pair.store(stored)
        ids = list(stored.expected)
        random.Random(1).shuffle(ids)  # noqa: S311 - data for a measurement
        collection = (await pair.documents("notes")).name
        bare = Program(pair.made, "bare-route", ("tools.bench.bare.route", collection))
        await bare.start()
        try:
            urls = {"ours": pair.query.url, "bare": bare.url}
            for url in urls.values():
                await requests_per_second(url, ids, 1.0)
            async with watched(pair.pids) as usage:
                for _ in range(rounds):
                    for of, connections in CONNECTIONS.items():
                        for who, url in urls.items():
                            found[who + of].append(
                                await requests_per_second(url, ids, seconds, connections=connections)
                            )
        finally:
            await bare.stop()
    figures = {name: {"requests_per_s": spread(rates)} for name, rates in found.items()}
    ratio = median(found["ours"]) / median(found["bare"])
    return judged({**figures, **usage}, {"bare route": ratio}, {"bare route": 0.8})


async def requests_per_second(
    url: str, ids: list[str], seconds: float, header: str = "", *, connections: int = MANY
) -> float:
    """Return how many `GET /notes/{id}` are answered in a second over kept-alive connections. Raises RunError."""
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
                raise RunError(f"answered {head[9:12]!r}: {body[:200]!r}")
            asked += 1
    finally:
        writer.close()
        await writer.wait_closed()
    return asked
