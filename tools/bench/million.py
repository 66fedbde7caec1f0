"""One long run: memory over many commands, and what a command and a read cost as the notes become more."""

import random
from collections.abc import Sequence

from tools.bench.pair import running
from tools.bench.reads import requests_per_second
from tools.bench.results import Entry, judged, spread
from tools.bench.workload import Author

CHUNK = 20_000
WARM = 10_000
"""Commands after which the memory of a service counts as its normal one."""
PROBE = 10_000
READ_S = 2.0
READ_OF = 5
"""One note in so many is read, the oldest and the newest alike."""


async def million(addresses: dict[str, str], rounds: int, stages: Sequence[int]) -> Entry:
    """Return `memory` and `growth` of a run that stores as many notes as the last stage says. Raises StackError."""
    author, ids, stored = Author(seed=13), list[str](), 0
    memory: dict[str, list[tuple[int, float]]] = {"command": [], "query": []}
    rows: list[Entry] = []
    async with running(addresses) as pair:

        async def store(count: int, *, held: bool = False) -> tuple[float, dict[str, float]]:
            """Return commands per second, and µs of CPU for each by process."""
            nonlocal stored
            workload = author.write(count)
            seconds, usage = await pair.store(workload, held=held)
            stored += count
            ids.extend(list(workload.expected)[::READ_OF])
            for name, program in {"command": pair.command, "query": pair.query}.items():
                memory[name].append((stored, program.memory_mb))
            return count / seconds, {name: round(cpu * 1e6 / count) for name, cpu in usage["cpu_s"].items()}

        for stage in stages:
            while stored < stage:
                await store(min(CHUNK, stage - stored))
            commands, reads, cpu = [], [], list[dict[str, float]]()
            for number in range(rounds):
                # The background catches up first: what is measured is the cost beside so many notes, not beside what
                # is behind.
                await pair.drain(stored)
                rate, taken = await store(PROBE, held=True)
                commands.append(rate)
                cpu.append(taken)
                await pair.drain(stored)
                random.Random(number).shuffle(ids)  # noqa: S311 - data for a measurement
                reads.append(await requests_per_second(pair.query.url, ids, READ_S))
            figures = {"commands_per_s": spread(commands), "reads_per_s": spread(reads)}
            rows.append({"notes": stage, **figures, "command_cpu_us": cpu})
    growth = max(
        max(mb for _, mb in samples) / next(mb for count, mb in samples if count >= WARM) - 1
        for samples in memory.values()
    )
    ratios = {
        name: rows[-1][f"{name}_per_s"]["median"] / rows[0][f"{name}_per_s"]["median"] for name in ("commands", "reads")
    }
    return {
        "memory": judged({"mb": memory}, {"growth": growth}, {"growth": 0.1}, ratios=False, at_most=True),
        "growth": judged({"stages": rows}, ratios, {"commands": 0.8, "reads": 0.8}),
    }
