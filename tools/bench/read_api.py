"""`GET /notes/{id}` per second, against a bare Starlette route doing the same `find_one`."""

import asyncio
import os
import random
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tools.bench.contestants import OURS, Usage, running, watched
from tools.bench.documents import AT_MOST_S, Documents
from tools.bench.http_client import Connection, connections
from tools.bench.workload import Author
from tools.sandbox import RunError, Sandbox, publish

CLIENTS = 32


async def measure(
    addresses: dict[str, str], notes: int, seconds: float, rounds: int
) -> tuple[dict[str, list[float]], Usage]:
    """Return requests per second of each, round by round: ours, and the bare route; and what the processes took.

    Both serve the same documents at the same time, and take turns. Raises RunError.
    """
    author = Author(seed=5)
    figures: dict[str, list[float]] = {"ours": [], "bare": []}
    async with running(addresses, OURS) as processes:
        stored, documents = author.creates(notes), Documents(processes.made, OURS)
        await publish(processes.made, stored.records)
        await documents.wait_for(stored.last_notes(), processes, AT_MOST_S)
        ids = list(stored.expected)
        random.Random(1).shuffle(ids)  # noqa: S311 - data for a measurement
        collection = (await documents.collection()).name
        async with _bare(processes.made, collection) as bare:
            urls = {"ours": processes.query.url, "bare": bare}
            for url in urls.values():
                await requests_per_second(url, ids, 1.0)
            async with watched(processes.all_pids) as usage:
                for _ in range(rounds):
                    for name, url in urls.items():
                        figures[name].append(await requests_per_second(url, ids, seconds))
    return figures, usage


async def requests_per_second(url: str, ids: list[str], seconds: float) -> float:
    """Return how many `GET /notes/{id}` are answered in a second over a few connections. Raises RunError."""
    async with connections(url, CLIENTS) as clients:
        started = time.perf_counter()
        until = started + seconds
        counts = await asyncio.gather(
            *(_ask(client, ids[number::CLIENTS], until) for number, client in enumerate(clients))
        )
        return sum(counts) / (time.perf_counter() - started)


async def _ask(client: Connection, ids: list[str], until: float) -> int:
    asked = 0
    while time.perf_counter() < until:
        status, body = await client.get(f"/notes/{ids[asked % len(ids)]}")
        if status != 200 or b'"version"' not in body:
            raise RunError(f"answered {status}: {body[:200]!r}")
        asked += 1
    return asked


@asynccontextmanager
async def _bare(made: Sandbox, collection: str) -> AsyncIterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        port, number = listening.getsockname()[1], listening.fileno()
        log = (made.logs / "bare-route.log").open("wb")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "uvicorn", "tools.bench.bare.route:app", "--fd", str(number), "--no-access-log"),
            *("--log-level", "warning"),
            env={**os.environ, "NOTES_MONGO": made.mongo, "BENCH_COLLECTION": collection},
            pass_fds=(number,),
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()
        log.close()
