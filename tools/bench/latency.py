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
RATES = {"ours": (10, 100, 200, 500), "outbox": (200, 500)}
"""Commands a second, by contestant: ten leave everything idle between two commands."""
AGAINST_OUTBOX = {f"at_{rate} {of}": 1.5 for rate in RATES["outbox"] for of in ("p50", "p99")}
ON_A_QUIET_MACHINE = {"at_10 p50": 10, "at_500 p50": 20, "at_500 p99": 60}
INSERTS = [{"$match": {"operationType": "insert"}}, {"$project": {"documentKey": 1}}]


async def latencies(addresses: dict[str, str], rounds: int, seconds: float) -> Entry:
    """Return `latency`, against the bare road with its outbox table, and `latency_alone`, in ms."""
    runs = [(who, rate) for rate in RATES["ours"] for who, rates in RATES.items() if rate in rates]
    rounds_of: dict[tuple[str, int], list[Entry]] = {run: [] for run in runs}
    for _ in range(rounds):
        for who, rate in runs:
            rounds_of[who, rate].append(await measure(addresses, who, rate, seconds))
    figures = {
        f"{who}_at_{rate}": of_rounds(entries, "p50_ms", "p99_ms", "max_ms")
        for (who, rate), entries in rounds_of.items()
    }

    def median(who: str, goal: str) -> float:
        rate, of = goal.split()
        return float(figures[f"{who}_{rate}"][f"{of}_ms"]["median"])

    ratios = {goal: median("ours", goal) / median("outbox", goal) for goal in AGAINST_OUTBOX}
    alone = {goal: median("ours", goal) for goal in ON_A_QUIET_MACHINE}
    return {
        "latency": judged(figures, ratios, AGAINST_OUTBOX, at_most=True),
        "latency_alone": judged({}, alone, ON_A_QUIET_MACHINE, ratios=False, at_most=True),
    }


async def measure(addresses: dict[str, str], who: str, rate: int, seconds: float) -> Entry:
    """Return the latencies at `rate` commands a second; the first three seconds do not count.

    Each command is sent at its own time, late or not: a stall is charged to every command that it delays. All
    contestants are seen through the same change stream. Raises StackError: a note was not visible in time.
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
        "cpu_us_per_command": {name: round(cpu / len(records) * 1e6) for name, cpu in usage["cpu_s"].items()},
    }
