"""Publish → visible, at a steady rate: from before the send until a change stream has the note."""

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaProducer

from tools.bench.pair import running, watched
from tools.bench.results import Entry, judged, of_rounds
from tools.bench.workload import Author
from tools.sandbox import send

WARM_UP_S = 3.0
SAMPLES_PER_S = 50
GOALS = {"at_500 p50": 10, "at_500 p99": 40, "at_a_fifth p50": 25, "at_a_fifth p99": 100}
INSERTS = [{"$match": {"operationType": "insert"}}, {"$project": {"documentKey": 1}}]


async def latencies(addresses: dict[str, str], rounds: int, seconds: float, results: Entry) -> Entry:
    """At 500 commands a second, and at a fifth of what end_to_end came to; the bare road at 500."""
    fifth = 500
    if "end_to_end" in results:
        fifth = max(100, int(results["end_to_end"]["ours"]["commands_per_s"]["median"] / 5))
    runs = {"at_500": ("ours", 500), "at_a_fifth": ("ours", fifth), "bare_at_500": ("bare", 500)}
    found: dict[str, list[Entry]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (who, rate) in runs.items():
            found[name].append(await measure(addresses, who, rate, seconds))
    figures = {name: of_rounds(entries, "p50_ms", "p99_ms", "max_ms") for name, entries in found.items()}
    medians = {f"{name} {of}": one[f"{of}_ms"]["median"] for name, one in figures.items() for of in ("p50", "p99")}
    return judged(figures, medians, GOALS, ratios=False, at_most=True)


async def measure(addresses: dict[str, str], who: str, rate: int, seconds: float) -> Entry:
    """Return the latencies at `rate` commands a second; the first three seconds do not count.

    Each command is sent at its own time, late or not: a stall is charged to every command that it delays. All
    contestants are seen through the same change stream. Raises RunError: a note was not visible in time.
    """
    author, seen = Author(seed=11), dict[str, float]()
    async with running(addresses, who) as pair:
        await pair.store(author.write(200))
        records = author.write(int(rate * (WARM_UP_S + seconds))).records
        producer = AIOKafkaProducer(bootstrap_servers=pair.made.kafka, enable_idempotence=True)

        async def look(stream: Any) -> None:
            async for change in stream:
                seen[change["documentKey"]["_id"]] = time.perf_counter()

        async def all_seen() -> bool:
            return len(seen) >= len(records)

        notes = await pair.documents("notes")
        async with producer, await notes.watch(INSERTS) as stream, watched(pair.pids) as usage:
            looking, acknowledged = asyncio.create_task(look(stream)), []
            started = time.perf_counter()
            for number, record in enumerate(records):
                if (early := started + number / rate - time.perf_counter()) > 0:
                    await asyncio.sleep(early)
                acknowledged.append(await send(producer, pair.made.topics["commands"], record))
            await asyncio.gather(*acknowledged)
            await pair.until(all_seen, "visible notes")
            looking.cancel()
    taken = [(seen[record.key.decode()] - started - number / rate) * 1000 for number, record in enumerate(records)]
    samples = sorted(taken[int(rate * WARM_UP_S) :: max(1, rate // SAMPLES_PER_S)])
    return {
        "commands_per_s": rate,
        "p50_ms": samples[len(samples) // 2],
        "p99_ms": samples[int(0.99 * len(samples))],
        "max_ms": samples[-1],
        "samples": [round(sample, 2) for sample in samples],
        **usage,
    }
