"""How figures are put down in `.bench/latest.json`, and the same as a table."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

Entry = dict[str, Any]


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
