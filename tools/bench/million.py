"""One long run: memory over many commands, and what a command and a read cost as the notes become more."""

import random
import time
from collections.abc import Sequence
from statistics import median

from tools.bench.contestants import OURS, running
from tools.bench.documents import AT_MOST_S, Documents
from tools.bench.read_api import requests_per_second
from tools.bench.results import Entry, Goal, judged, spread
from tools.bench.workload import Author
from tools.sandbox import publish

CHUNK = 20_000
SETTLED = 10_000
"""Commands after which the memory of a service counts as its normal one."""
PROBE = 10_000
READ_S = 2.0
READ_OF = 5
"""One note in so many is read, the oldest and the newest alike."""
DRAINED_S = 600.0


async def measure(addresses: dict[str, str], stages: Sequence[int], rounds: int) -> Entry:
    """Return `memory` and `growth` of a run that stores as many notes as the last stage says. Raises RunError."""
    author, ids, stored = Author(seed=13), list[str](), 0
    memory: dict[str, list[tuple[int, float]]] = {"command": [], "query": []}
    commands, reads = ({stage: list[float]() for stage in stages} for _ in range(2))
    async with running(addresses, OURS) as processes:
        documents = Documents(processes.made, OURS)

        async def store(count: int, *, held: bool = False) -> float:
            """Return the seconds until the last one is visible, if `held` from the release of what takes commands."""
            nonlocal stored
            workload = author.creates(count)
            if held:
                processes.hold()
            await publish(processes.made, workload.records)
            started = time.perf_counter()
            if held:
                processes.release()
            ended = await documents.wait_for(workload.last_notes(), processes, AT_MOST_S)
            stored += count
            ids.extend(list(workload.expected)[::READ_OF])
            memory["command"].append((stored, processes.command.memory_mb))
            memory["query"].append((stored, processes.query.memory_mb))
            return ended - started

        for stage in stages:
            while stored < stage:
                await store(min(CHUNK, stage - stored))
            for number in range(rounds):
                # The background catches up first: what is measured is the cost beside so many notes, not beside what
                # is behind.
                await documents.drain(stored, processes, DRAINED_S)
                commands[stage].append(PROBE / await store(PROBE, held=True))
                await documents.drain(stored, processes, DRAINED_S)
                random.Random(number).shuffle(ids)  # noqa: S311 - data for a measurement
                reads[stage].append(await requests_per_second(processes.query.url, ids, READ_S))
    growth = max(
        max(mb for _, mb in samples) / next(mb for count, mb in samples if count >= SETTLED) - 1
        for samples in memory.values()
    )
    goals = {
        name: Goal(median(found[stages[-1]]) / median(found[stages[0]]), 0.8)
        for name, found in (("commands", commands), ("reads", reads))
    }
    rows = [
        {"notes": stage, "commands_per_s": spread(commands[stage]), "reads_per_s": spread(reads[stage])}
        for stage in stages
    ]
    return {
        "memory": judged({"mb": memory}, {"growth": Goal(growth, 0.1, at_most=True)}, ratios=False),
        "growth": judged({"stages": rows}, goals, ratios=True),
    }
