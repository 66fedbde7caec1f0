"""`python -m tools.bench`: measure everything, write `.bench/latest.json`, print a table, draw the plots."""

import argparse
import asyncio
import json
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Collection
from importlib.metadata import version

import psutil

from tools.bench.latency import latencies
from tools.bench.million import million
from tools.bench.pair import STATE
from tools.bench.parts import idle, rebuild, relay
from tools.bench.reads import read_api, reads_with_token
from tools.bench.results import Entry, draw, show
from tools.bench.throughput import end_to_end, hot_note, mixed
from tools.stack.errors import StackError
from tools.stack.folder import REPOSITORY
from tools.stack.native import servers

FOLDER = REPOSITORY / ".bench"
PACKAGES = ("faststream", "aiokafka", "sqlalchemy", "asyncpg", "motor", "pydantic", "fastapi", "uvloop")
QUIET_PERCENT = 25.0
"""How busy the cores may be before a measurement begins: with more than that, its figures say nothing."""
LOOKS = 10


async def measure(addresses: dict[str, str], only: Collection[str], *, quick: bool) -> Entry:
    """Return the results by key: those that are wanted, all if `only` is empty."""
    results: Entry = {}
    rounds, ours, naive, bare = (1, 4_000, 300, 8_000) if quick else (3, 25_000, 800, 40_000)
    seconds, began = 1.5 if quick else 5.0, time.monotonic()
    stages = (1_000, 10_000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    steps: dict[str, Callable[[], Awaitable[Entry]]] = {
        "end_to_end": lambda: end_to_end(addresses, rounds, ours, naive, bare),
        "mixed": lambda: mixed(addresses, rounds, ours, bare),
        "hot_note": lambda: hot_note(addresses, rounds, ours // 2),
        "latency latency_alone": lambda: latencies(addresses, rounds, seconds),
        "idle": lambda: idle(addresses, rounds, 4 * seconds),
        "relay": lambda: relay(addresses, rounds, ours // 2),
        "relay_held_transaction": lambda: relay(addresses, rounds, ours // 2, 0.0 if quick else 60.0),
        "read_api": lambda: read_api(addresses, rounds, seconds / 3),
        "read_with_token": lambda: reads_with_token(addresses, 4 * rounds, seconds / 3),
        "rebuild": lambda: rebuild(addresses, rounds, ours if quick else 160_000),
        "memory growth": lambda: million(addresses, rounds, stages),
    }
    for names, step in steps.items():
        keys = names.split()
        if only and not set(keys) & set(only):
            continue
        busy = await busy_percent()
        print(f"{time.monotonic() - began:6.0f} s  {' and '.join(keys)}", flush=True)
        found = await step()
        for key, entry in (found if len(keys) > 1 else {names: found}).items():
            results[key] = {**entry, "busy_before_percent": busy, "void": busy > QUIET_PERCENT}
    return results


async def busy_percent() -> float:
    """Return how busy the cores are while we do nothing: the first second that is quiet enough, or the best of ten."""
    seen: list[float] = []
    while len(seen) < LOOKS and min(seen, default=100.0) > QUIET_PERCENT:
        seen.append(await asyncio.to_thread(psutil.cpu_percent, 1.0))
    return min(seen)


def main() -> int:
    """Return the exit code: 0 if everything was measured, whatever the figures are; 1 if not; 3 if the run is void.

    A void run had to share the cores with other programs. The quick one may: it only shows that everything works.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each: a smoke test, not a figure")
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY", help="measure these alone")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        with servers(STATE) as addresses:
            results = asyncio.run(measure(addresses, arguments.only, quick=arguments.quick))
    except StackError as error:
        print(f"no figures: {error}", file=sys.stderr)
        return 1
    if not results:
        print(f"no figures: nothing is called {' or '.join(arguments.only)}", file=sys.stderr)
        return 1
    void = [name for name, entry in results.items() if entry["void"]]
    results["run"] = {
        "quick": arguments.quick,
        "seconds": round(time.monotonic() - began),
        "machine": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": psutil.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30),
        },
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "latest.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    show(results)
    print(*draw(results, FOLDER), path, sep="\n")
    if void:
        print(f"Other programs used the cores before: {', '.join(void)}. These figures say nothing.", file=sys.stderr)
    return 3 if void and not arguments.quick else 0


if __name__ == "__main__":
    sys.exit(main())
