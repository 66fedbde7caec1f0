"""Rebuilding the note documents from their events, against inserting the same documents raw."""

import time
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

from tools.bench.contestants import OURS, Usage, running, watched
from tools.bench.documents import AT_MOST_S, Documents
from tools.bench.workload import Author
from tools.sandbox import Sandbox, publish, run

CHUNK = 20_000
BATCH = 1_000


async def measure(addresses: dict[str, str], events: int, rounds: int) -> tuple[list[float], list[float], Usage]:
    """Return events rebuilt per second, and documents inserted per second by `insert_many`, of rounds in turn.

    And what the processes took in all of them. Raises BenchError.
    """
    author = Author(seed=17)
    async with running(addresses, OURS) as processes:
        documents = Documents(processes.made, OURS)
        for start in range(0, events, CHUNK):
            part = author.creates(min(CHUNK, events - start))
            await publish(processes.made, part.records)
            await documents.wait_for(part.last_notes(), processes, AT_MOST_S)
        await documents.drain(events, processes, AT_MOST_S)
        stored = await (await documents.collection()).find().to_list(None)
        ours, raw = [], []
        async with watched(processes.all_pids) as usage:
            for _ in range(rounds):
                served = await documents.served()
                raw.append(await _insert_raw(processes.made, stored))
                started = time.perf_counter()
                await run(processes.made, "notes_query", "rebuild", "notes")
                ours.append(events / (time.perf_counter() - started))
                await run(processes.made, "notes_query", "drop", str(served))
        return ours, raw, usage


async def _insert_raw(made: Sandbox, documents: list[dict[str, Any]]) -> float:
    """Insert copies of all documents into a collection without indexes of its own, a thousand at once."""
    target: Any = AsyncIOMotorClient(made.mongo).get_default_database().raw_copies
    await target.drop()
    started = time.perf_counter()
    for start in range(0, len(documents), BATCH):
        await target.insert_many(documents[start : start + BATCH], ordered=False)
    return len(documents) / (time.perf_counter() - started)
