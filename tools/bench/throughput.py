"""Commands per second, from Kafka to a readable document."""

from dataclasses import dataclass

from tools.bench.pair import running
from tools.bench.results import Entry, judged, of_rounds
from tools.bench.workload import Author

WARM_UP = 200

Addresses = dict[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """A contestant, and how many commands it is sent; one in `every` updates one of `stored` notes."""

    who: str
    count: int
    body_length: int = 300
    every: int = 0
    stored: int = 0


async def measure(addresses: Addresses, run: Run) -> Entry:
    """Return the figures of one run: CPU time per command in µs, peak memory in MB.

    The commands are on Kafka before the clock starts: the contestant has joined its groups and is warm, the process
    that takes commands is held meanwhile. The clock runs from its release, which is before the first record that it
    consumes, until the last note is at its last version in the read store. Then every document is compared. Raises
    StackError: the run failed, or a document is wrong.
    """
    author, background = Author(seed=7, body_length=run.body_length), {}
    async with running(addresses, run.who) as pair:
        before = author.write(WARM_UP + run.stored)
        await pair.store(before)
        workload = author.write(run.count, run.every, list(before.expected)[: run.stored])
        seconds, usage = await pair.store(workload, held=True)
        if pair.ours:
            background = {"background": await pair.drain(len(before.records) + run.count)}
        await pair.check(workload)
    return {
        "commands_per_s": run.count / seconds,
        "commands": run.count,
        "cpu_us_per_command": {name: round(cpu / run.count * 1e6) for name, cpu in usage["cpu_s"].items()},
        "peak_mb": usage["peak_mb"],
        **background,
    }


async def in_turn(addresses: Addresses, rounds: int, *runs: Run) -> list[Entry]:
    """Return the figures of each run, taken in turn (A B C A B C)."""
    found = [[await measure(addresses, run) for run in runs] for _ in range(rounds)]
    return [of_rounds(entries, "commands_per_s") for entries in zip(*found, strict=True)]


def ratio(one: Entry, other: Entry) -> float:
    """Return the ratio of the median rates."""
    return float(one["commands_per_s"]["median"] / other["commands_per_s"]["median"])


async def end_to_end(addresses: Addresses, rounds: int, count: int, naive: int, bare: int) -> Entry:
    """Creates, bodies of 300 characters; and of 10 kB, which has no goal."""
    runs = {"ours": Run("ours", count), "naive": Run("naive", naive), "bare": Run("bare", bare)}
    runs["outbox"] = Run("outbox", bare)
    found = dict(zip(runs, await in_turn(addresses, rounds, *runs.values()), strict=True))
    large = await in_turn(addresses, rounds, Run("ours", count // 8, 10_000), Run("bare", bare // 8, 10_000))
    goals = {"naive": 100, "bare": 0.4, "outbox": 0.5}
    ratios = {name: ratio(found["ours"], found[name]) for name in goals}
    return judged({**found, "bodies_of_10_kb": dict(zip(("ours", "bare"), large, strict=True))}, ratios, goals)


async def mixed(addresses: Addresses, rounds: int, count: int, bare: int) -> Entry:
    """Half creates, half updates of stored notes, against the bare road doing creates only."""
    half = Run("ours", count, every=2, stored=count // 2)
    ours, against = await in_turn(addresses, rounds, half, Run("bare", bare))
    return judged({"ours": ours, "bare": against}, {"bare": ratio(ours, against)}, {"bare": 0.4})


async def hot_note(addresses: Addresses, rounds: int, count: int) -> Entry:
    """One command in ten for one and the same note."""
    (ours,) = await in_turn(addresses, rounds, Run("ours", count, every=10, stored=1))
    return {"ours": ours}
