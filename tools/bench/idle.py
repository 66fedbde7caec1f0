"""What both services take with nothing to do."""

import asyncio
from statistics import median

from tools.bench.pair import running, watched
from tools.bench.results import Entry, judged, spread
from tools.bench.workload import Author

SETTLED_S = 5.0
"""Seconds after the last command in which its traces go: offsets that follow behind, rows that are deleted."""


async def idle(addresses: dict[str, str], rounds: int, seconds: float) -> Entry:
    """Return the share of a core that each service takes, and both together, while nobody asks. Raises RunError."""
    shares: dict[str, list[float]] = {"command": [], "query": []}
    async with running(addresses) as pair:
        await pair.store(Author(seed=19).write(200))
        await asyncio.sleep(SETTLED_S)
        for _ in range(rounds):
            async with watched(pair.pids) as usage:
                await asyncio.sleep(seconds)
            for name, of in shares.items():
                of.append(usage["cpu_s"][name] / seconds)
    both = [sum(one) for one in zip(*shares.values(), strict=True)]
    figures = {name: spread(of) for name, of in (shares | {"both": both}).items()}
    return judged(figures, {"of a core": median(both)}, {"of a core": 0.01}, ratios=False, at_most=True)
