"""The figures as pictures, PNG and SVG."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {"ours": "#2563eb", "naive": "#9ca3af", "bare": "#111827", "outbox": "#b45309"}
RATES = {"commands_per_s": "commands per second", "reads_per_s": "GET /notes/{id} per second"}


def draw(results: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Draw what was measured; yield the paths."""
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
