"""The measurements, in the order in which they are made."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median

from tools.bench import latency, million, read_api, rebuild, relay
from tools.bench.contestants import BARE, NAIVE, OURS, Contestant
from tools.bench.results import Entry, Goal, judged, of_runs, spread
from tools.bench.throughput import Figure, Write, measure

Addresses = dict[str, str]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, and commands of each contestant."""

    rounds: int
    ours: int
    bare: int
    naive: int
    seconds: float
    held_s: float
    stages: tuple[int, ...]
    events: int


FULL = Size(3, 25_000, 40_000, 800, 5.0, 60.0, (1_000, 10_000, 100_000, 1_000_000), 160_000)
QUICK = Size(1, 4_000, 8_000, 300, 1.5, 0.0, (1_000, 10_000), 4_000)


def creates(count: int) -> Write:
    """Return what makes creates only."""
    return lambda author, _: author.creates(count)


async def rounds(
    addresses: Addresses, runs: Sequence[tuple[Contestant, Write, int, int]], count: int
) -> list[list[Figure]]:
    """Return the figures of each run, taken in turn (A B C A B C). A run: who, what, notes stored, body length."""
    found: list[list[Figure]] = [[] for _ in runs]
    for _ in range(count):
        for place, (contestant, write, stored, body) in enumerate(runs):
            found[place].append(await measure(addresses, contestant, write, stored, body))
    return found


def ratio(some: Sequence[Figure], others: Sequence[Figure]) -> float:
    """Return the ratio of the median rates."""
    return median(figure.rate for figure in some) / median(figure.rate for figure in others)


async def end_to_end(addresses: Addresses, size: Size) -> Entry:
    """Creates, bodies of 300 characters; and of 10 kB, which has no goal."""
    runs = [(OURS, size.ours), (NAIVE, size.naive), (BARE, size.bare)]
    ours, naive, bare = await rounds(addresses, [(who, creates(n), 0, 300) for who, n in runs], size.rounds)
    large, large_bare = await rounds(
        addresses, [(who, creates(n // 8), 0, 10_000) for who, n in (runs[0], runs[2])], size.rounds
    )
    figures = {
        "ours": of_runs(ours),
        "naive": of_runs(naive),
        "bare": of_runs(bare),
        "bodies_of_10_kb": {"ours": of_runs(large), "bare": of_runs(large_bare)},
    }
    goals = {"naive": Goal(ratio(ours, naive), 25), "bare": Goal(ratio(ours, bare), 0.5)}
    return judged(figures, goals, ratios=True)


async def mixed(addresses: Addresses, size: Size) -> Entry:
    """Half creates, half updates of stored notes, against the bare road doing creates only."""
    runs: list[tuple[Contestant, Write, int, int]] = [
        (OURS, lambda author, stored: author.mixed(size.ours, stored), size.ours // 2, 300),
        (BARE, creates(size.bare), 0, 300),
    ]
    ours, bare = await rounds(addresses, runs, size.rounds)
    goals = {"bare": Goal(ratio(ours, bare), 0.3)}
    return judged({"ours": of_runs(ours), "bare": of_runs(bare)}, goals, ratios=True)


async def hot_note(addresses: Addresses, size: Size) -> Entry:
    """One command in ten for one and the same note."""
    runs: list[tuple[Contestant, Write, int, int]] = [
        (OURS, lambda author, stored: author.hot(size.ours // 2, stored), 100, 300)
    ]
    (ours,) = await rounds(addresses, runs, size.rounds)
    return {"ours": of_runs(ours)}


async def latencies(addresses: Addresses, size: Size, fifth: int) -> Entry:
    """At 500 commands a second, and at `fifth`, which is a fifth of what end_to_end came to; the bare road at 500."""
    runs = {"at_500": (OURS, 500), "at_a_fifth": (OURS, fifth), "bare_at_500": (BARE, 500)}
    found: dict[str, list[latency.Latency]] = {name: [] for name in runs}
    for _ in range(size.rounds):
        for name, (who, rate) in runs.items():
            found[name].append(await latency.measure(addresses, who, rate, size.seconds))
    figures = {name: _of_latencies(rounds) for name, rounds in found.items()}
    goals = {
        f"{name} {percentile}": Goal(figures[name][f"{percentile}_ms"]["median"], goal, at_most=True)
        for name, wanted in {"at_500": {"p50": 10, "p99": 40}, "at_a_fifth": {"p50": 25, "p99": 100}}.items()
        for percentile, goal in wanted.items()
    }
    return judged(figures, goals, ratios=False)


def _of_latencies(rounds: Sequence[latency.Latency]) -> Entry:
    middle = sorted(rounds, key=lambda one: one.percentile(0.5))[len(rounds) // 2]
    return {
        "commands_per_s": middle.rate,
        "p50_ms": spread([one.percentile(0.5) for one in rounds]),
        "p99_ms": spread([one.percentile(0.99) for one in rounds]),
        "max_ms": spread([one.milliseconds[-1] for one in rounds]),
        "samples": [round(value, 2) for value in middle.milliseconds],
        **middle.usage.entry(),
    }


async def relaying(addresses: Addresses, size: Size, *, held: bool) -> Entry:
    """Outbox rows a second."""
    rates, usage = await relay.measure(addresses, size.ours // 2, size.rounds, held=held, held_s=size.held_s)
    figures = {"rows_per_s": spread(rates), **usage.entry()}
    return judged(figures, {"rows_per_s": Goal(median(rates), 10_000)}, ratios=False)


async def reading(addresses: Addresses, size: Size) -> Entry:
    """`GET /notes/{id}`."""
    found, usage = await read_api.measure(addresses, 2_000, size.seconds / 3, size.rounds)
    goals = {"bare route": Goal(median(found["ours"]) / median(found["bare"]), 0.7)}
    figures = {name: {"requests_per_s": spread(rates)} for name, rates in found.items()}
    return judged({**figures, **usage.entry()}, goals, ratios=True)


async def rebuilding(addresses: Addresses, size: Size) -> Entry:
    """Events a second, against a raw insert_many of the same documents."""
    ours, raw, usage = await rebuild.measure(addresses, size.events, size.rounds)
    goals = {"insert_many": Goal(median(ours) / median(raw), 0.25)}
    figures = {"events_per_s": spread(ours), "insert_many_per_s": spread(raw), **usage.entry()}
    return judged(figures, goals, ratios=True)


async def everything(addresses: Addresses, size: Size, only: Sequence[str], told: Callable[[str], None]) -> Entry:
    """Return the results by key. `only`: the keys wanted, all if empty; `told` hears what is measured next."""
    results: Entry = {}
    steps: list[tuple[tuple[str, ...], Callable[[], Awaitable[Entry]]]] = [
        (("end_to_end",), lambda: end_to_end(addresses, size)),
        (("mixed",), lambda: mixed(addresses, size)),
        (("hot_note",), lambda: hot_note(addresses, size)),
        (("latency",), lambda: latencies(addresses, size, _fifth(results))),
        (("relay",), lambda: relaying(addresses, size, held=False)),
        (("relay_held_transaction",), lambda: relaying(addresses, size, held=True)),
        (("read_api",), lambda: reading(addresses, size)),
        (("rebuild",), lambda: rebuilding(addresses, size)),
        (("memory", "growth"), lambda: million.measure(addresses, size.stages, size.rounds)),
    ]
    for names, step in steps:
        if only and not set(names) & set(only):
            continue
        told(" and ".join(names))
        found = await step()
        results |= found if len(names) > 1 else {names[0]: found}
    return results


def _fifth(results: Entry) -> int:
    entry = results.get("end_to_end")
    return 500 if entry is None else max(100, int(entry["ours"]["commands_per_s"]["median"] / 5))
