"""How figures are put down in `.bench/latest.json`, and the same as a table and as pictures, PNG and SVG."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

Entry = dict[str, Any]
COLOURS = {"ours": "#2563eb", "naive": "#9ca3af", "bare": "#111827", "outbox": "#b45309"}
RATES = {"commands_per_s": "commands per second", "reads_per_s": "GET /notes/{id} per second"}


def spread(values: Sequence[float]) -> Entry:
    """Return median, minimum and maximum of the rounds."""
    found = {"median": round(median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3)}
    return {**found, "rounds": [round(value, 3) for value in values]}


def of_rounds(rounds: Sequence[Entry], *figures: str) -> Entry:
    """Return the round that is in the middle by the first of these figures, with the spread of all rounds for each."""
    middle = sorted(rounds, key=lambda one: one[figures[0]])[len(rounds) // 2]
    return middle | {name: spread([one[name] for one in rounds]) for name in figures}


def judged(
    figures: Entry,
    found: Mapping[str, float],
    goals: Mapping[str, float],
    *,
    ratios: bool = True,
    at_most: bool = False,
) -> Entry:
    """Return the entry with what was found, what was to be reached at least (or `at_most`), and whether it was."""
    met = all(found[name] <= goal if at_most else found[name] >= goal for name, goal in goals.items())
    named: Any = {name: round(found[name], 3) for name in goals}
    wanted: Any = dict(goals)
    if ratios and len(goals) == 1:
        (named,), (wanted,) = named.values(), wanted.values()
    return {**figures, "ratio" if ratios else "value": named, "goal": wanted, "met": met}


def show(results: Mapping[str, Any]) -> None:
    """Print a line for each figure."""
    table = Table("what", "figure", "goal", "met", title="Notes: figures of one run")
    for name, entry in results.items():
        if "met" in entry:
            value = entry.get("ratio", entry.get("value"))
            met = "void" if entry["void"] else "yes" if entry["met"] else "NO"
            table.add_row(name, _said(value), _said(entry["goal"]), met)
    Console().print(table)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name} {number:g}" for name, number in value.items())
    return f"{value:g}"


def draw(results: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Draw what was measured; yield the paths."""
    import matplotlib as mpl  # noqa: PLC0415 - slow, and a measurement needs none

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "notes"})
    for key, make in {"end_to_end": _throughput, "latency": _latency, "memory": _memory, "growth": _growth}.items():
        if key not in results:
            continue
        figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
        make(axes, results[key])
        if axes.lines and not axes.containers:
            axes.grid(alpha=0.3)
            axes.legend(frameon=False)
        for kind in ("png", "svg"):
            path = folder / f"{'throughput' if key == 'end_to_end' else key}.{kind}"
            figure.savefig(path, dpi=150, metadata={"Date": None} if kind == "svg" else None)
            yield path
        plt.close(figure)


def _throughput(axes: Any, entry: Mapping[str, Any]) -> None:
    rates = [entry[name]["commands_per_s"] for name in COLOURS]
    errors = [[one["median"] - one["min"] for one in rates], [one["max"] - one["median"] for one in rates]]
    heights = [one["median"] for one in rates]
    bars = axes.bar(list(COLOURS), heights, yerr=errors, capsize=4, color=list(COLOURS.values()))
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set(ylabel="commands per second, Kafka → readable")
    axes.set(title="Throughput: median of the rounds, with minimum and maximum")


def _latency(axes: Any, entry: Mapping[str, Any]) -> None:
    for name in ("ours_at_200", "ours_at_500", "outbox_at_200", "outbox_at_500"):
        samples = entry[name]["samples"]
        shares = [(place + 1) / len(samples) for place in range(len(samples))]
        axes.plot(samples, shares, label=f"{name.replace('_', ' ')}/s")
    axes.set(title="Latency", xscale="log", xlabel="publish → visible, ms", ylabel="share of commands")


def _memory(axes: Any, entry: Mapping[str, Any]) -> None:
    for name, samples in entry["mb"].items():
        axes.plot(*zip(*samples, strict=True), label=f"{name}-service")
    axes.set(title="Memory", ylim=(0, None), xlabel="commands carried out", ylabel="resident memory, MB")


def _growth(axes: Any, entry: Mapping[str, Any]) -> None:
    notes = [stage["notes"] for stage in entry["stages"]]
    for key, label in RATES.items():
        axes.plot(notes, [stage[key]["median"] for stage in entry["stages"]], marker="o", label=label)
    axes.set(title="Cost against the number of notes", xscale="log", ylim=(0, None), xlabel="notes stored")
