"""What a service really exports: its metrics with their labels, out of the registry that /metrics answers from."""

import re
from pathlib import Path

from prometheus_client import REGISTRY

import notes_command.app
import notes_query.app

ROOT = Path(__file__).parents[2]
SIDES = ("command", "query")
APPS = (notes_command.app, notes_query.app)
"""Loaded, everything that they count is registered."""
SCRAPED = frozenset({"job", "instance"})
"""Labels that Prometheus adds."""
JOBS = {"command": {"notes-command"}, "query": {"notes-query", "notes-query-projector"}}
PROCESS = ("process_cpu_seconds_total", "process_resident_memory_bytes")
"""Of prometheus_client itself, on Linux alone."""

Exported = dict[str, frozenset[str]]


def exported(side: str) -> Exported:
    """Return the labels by name of series, of one service."""
    other = f"notes_{SIDES[1 - SIDES.index(side)]}_"
    found: Exported = dict.fromkeys(PROCESS, SCRAPED)
    for collector, names in REGISTRY._collector_to_names.items():
        labels = getattr(collector, "_labelnames", None)
        for name in names if labels is not None else ():
            if name.startswith("notes_") and not name.startswith(other):
                found[name] = SCRAPED | set(labels) | ({"le"} if name.endswith("_bucket") else set())
    return found


def pages() -> str:
    """Return what docs/operations says of metrics and alerts."""
    found = [ROOT / "docs" / "operations.md", *sorted((ROOT / "docs" / "operations").glob("*.md"))]
    return "".join(path.read_text(encoding="utf-8") for path in found)


def values(side: str) -> frozenset[str]:
    """Return every text that may be a label's value: in the sources literals and classes, on the pages what is code."""
    sources = [ROOT / f"{side}-service" / "src", ROOT / "chassis" / "src", ROOT / "contracts" / "src"]
    text = "\n".join(path.read_text(encoding="utf-8") for source in sources for path in source.rglob("*.py"))
    found = [*re.findall(r'"([^"\n{}]+)"', text), *re.findall(r"^class (\w+)", text, re.MULTILINE)]
    return frozenset([*found, *re.findall(r"`([\w ]+)`", pages())])
