"""How figures are put down in `.bench/latest.json`, and the same as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench.throughput import Figure

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` has to be at least `goal`, or at most."""

    value: float
    goal: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Say whether it is."""
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def spread(values: Sequence[float]) -> Entry:
    """Return median, minimum and maximum of the rounds."""
    return {
        "median": round(median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "rounds": [round(value, 3) for value in values],
    }


def of_runs(figures: Sequence[Figure]) -> Entry:
    """Return commands per second, with CPU time per command (µs) and peak memory (MB) of every process.

    With a background projector, also how far that was behind at the end, and how fast it caught up.
    """
    middle = sorted(figures, key=lambda figure: figure.rate)[len(figures) // 2]
    side = {"events_behind_at_the_end": middle.behind, "drained_events_per_s": round(middle.drained)}
    return {
        "commands_per_s": spread([figure.rate for figure in figures]),
        "commands": middle.commands,
        "cpu_us_per_command": {name: round(cpu / middle.commands * 1e6) for name, cpu in middle.usage.cpu.items()},
        "peak_mb": middle.usage.peaks,
        **({"background": side} if middle.drained else {}),
    }


def judged(figures: Entry, goals: Mapping[str, Goal], *, ratios: bool) -> Entry:
    """Return the entry with what was to be reached, and whether it was."""
    named = {name: round(goal.value, 3) for name, goal in goals.items()}
    wanted = {name: goal.goal for name, goal in goals.items()}
    met = all(goal.met for goal in goals.values())
    if ratios and len(goals) == 1:
        return {**figures, "ratio": min(named.values()), "goal": min(wanted.values()), "met": met}
    return {**figures, "ratio" if ratios else "value": named, "goal": wanted, "met": met}


def show(results: Mapping[str, Any]) -> None:
    """Print a line for each figure."""
    table = Table("what", "figure", "goal", "met", title="Notes: figures of one run")
    for name, entry in results.items():
        if "met" in entry:
            value = entry.get("ratio", entry.get("value"))
            table.add_row(name, _said(value), _said(entry["goal"]), "yes" if entry["met"] else "NO")
    Console().print(table)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name} {number:g}" for name, number in value.items())
    return f"{value:g}"
