"""The figures as pictures, PNG and SVG."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {"ours": "#2563eb", "naive": "#9ca3af", "bare": "#111827"}


def draw(results: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Draw what was measured; yield the paths."""
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "notes"})
    makers = {"throughput": _throughput, "latency": _latency, "memory": _memory, "growth": _growth}
    for name, make in makers.items():
        needs = "end_to_end" if name == "throughput" else name
        if needs not in results:
            continue
        figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
        make(axes, results)
        for kind in ("png", "svg"):
            path = folder / f"{name}.{kind}"
            figure.savefig(path, dpi=150, metadata={"Date": None} if kind == "svg" else None)
            yield path
        plt.close(figure)


def _throughput(axes: Any, results: Mapping[str, Any]) -> None:
    entry = results["end_to_end"]
    names = [name for name in COLOURS if name in entry]
    medians = [entry[name]["commands_per_s"] for name in names]
    low = [one["median"] - one["min"] for one in medians]
    high = [one["max"] - one["median"] for one in medians]
    bars = axes.bar(
        names, [one["median"] for one in medians], yerr=[low, high], capsize=4, color=[COLOURS[n] for n in names]
    )
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set_ylabel("commands per second, Kafka → readable")
    axes.set_title("Throughput: median of the rounds, with minimum and maximum")


def _latency(axes: Any, results: Mapping[str, Any]) -> None:
    for name, entry in results["latency"].items():
        if not isinstance(entry, Mapping) or "samples" not in entry:
            continue
        samples = entry["samples"]
        shares = [(place + 1) / len(samples) for place in range(len(samples))]
        axes.plot(samples, shares, label=f"{name.replace('_', ' ')}: {entry['commands_per_s']:,}/s")
    axes.set_xscale("log")
    axes.set_xlabel("publish → visible, ms")
    axes.set_ylabel("share of commands")
    _finish(axes, "Latency")


def _memory(axes: Any, results: Mapping[str, Any]) -> None:
    for name, samples in results["memory"]["mb"].items():
        axes.plot([count for count, _ in samples], [mb for _, mb in samples], label=f"{name}-service")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("commands carried out")
    axes.set_ylabel("resident memory, MB")
    _finish(axes, "Memory")


def _growth(axes: Any, results: Mapping[str, Any]) -> None:
    stages = results["growth"]["stages"]
    notes = [stage["notes"] for stage in stages]
    for key, label in (("commands_per_s", "commands per second"), ("reads_per_s", "GET /notes/{id} per second")):
        axes.plot(notes, [stage[key]["median"] for stage in stages], marker="o", label=label)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("notes stored")
    _finish(axes, "Cost against the number of notes")


def _finish(axes: Any, title: str) -> None:
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.set_title(title)
