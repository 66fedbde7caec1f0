"""Rebuilding the note documents from their events, against inserting the same documents raw."""

import time
from statistics import median
from typing import Any

from tools.bench.pair import Pair, running, watched
from tools.bench.results import Entry, judged, spread
from tools.bench.workload import Author
from tools.sandbox import run

CHUNK = 20_000
BATCH = 1_000


async def rebuild(addresses: dict[str, str], rounds: int, events: int) -> Entry:
    """Return events rebuilt per second, and documents inserted per second by `insert_many`, of rounds in turn.

    Raises RunError.
    """
    author, ours, raw = Author(seed=17), list[float](), list[float]()
    async with running(addresses) as pair:
        for start in range(0, events, CHUNK):
            await pair.store(author.write(min(CHUNK, events - start)))
        await pair.drain(events)
        stored = await (await pair.documents("notes")).find().to_list(None)
        async with watched(pair.pids) as usage:
            for _ in range(rounds):
                served = await pair.build("notes")
                raw.append(await _insert_raw(pair, stored))
                started = time.perf_counter()
                await run(pair.made, "notes_query", "rebuild", "notes")
                ours.append(events / (time.perf_counter() - started))
                await run(pair.made, "notes_query", "drop", str(served))
    figures = {"events_per_s": spread(ours), "insert_many_per_s": spread(raw), **usage}
    return judged(figures, {"insert_many": median(ours) / median(raw)}, {"insert_many": 0.25})


async def _insert_raw(pair: Pair, documents: list[dict[str, Any]]) -> float:
    """Insert copies of all documents into a collection without indexes of its own, a thousand at once."""
    target = pair.database.raw_copies
    await target.drop()
    started = time.perf_counter()
    for start in range(0, len(documents), BATCH):
        await target.insert_many(documents[start : start + BATCH], ordered=False)
    return len(documents) / (time.perf_counter() - started)
