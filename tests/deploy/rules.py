"""Alert rules and dashboards, held against metrics and pages. Each check yields what is wrong, in sentences."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.deploy.exported import Exported
from tests.deploy.promql import complaints, labels_of

SEVERITIES = {"page", "ticket"}
_ANCHOR = re.compile(r'<a id="([\w-]+)"></a>')

Alerts = Mapping[str, Any]


def alerts(rules: Mapping[str, Any]) -> list[Alerts]:
    """Return all alerts of a file of rules."""
    return [rule for group in rules["groups"] for rule in group["rules"]]


def expressions(rules: Mapping[str, Any], exported: Exported, values: frozenset[str]) -> Iterator[str]:
    """What is asked exists, and what is told of it."""
    for alert in alerts(rules):
        name, found = alert["alert"], list(complaints(alert["expr"], exported, values))
        yield from (f"{name}: {what}" for what in found)
        if not found:
            told = set(re.findall(r"\$labels\.(\w+)", str(alert["annotations"])))
            yield from (f"{name}: tells a label {one}" for one in told - labels_of(alert["expr"], exported))


def forms(rules: Mapping[str, Any]) -> Iterator[str]:
    """Each says how urgent it is, and in words what it is about; its name is its own."""
    found = alerts(rules)
    names = [alert["alert"] for alert in found]
    yield from (f"{name}: there are two" for name in set(names) if names.count(name) > 1)
    for alert in found:
        if alert["labels"].get("severity") not in SEVERITIES:
            yield f"{alert['alert']}: no severity of {sorted(SEVERITIES)}"
        missing = {"summary", "description", "runbook"} - set(alert["annotations"])
        yield from (f"{alert['alert']}: no {what}" for what in sorted(missing))


def runbooks(rules: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Each names a line of a page that names the alert. `path` is the file of the rules."""
    for alert in alerts(rules):
        target, _, anchor = alert["annotations"].get("runbook", "").partition("#")
        page = (path.parent / target).resolve()
        if not target or not page.is_file():
            yield f"{alert['alert']}: no file {target}"
            continue
        text = page.read_text(encoding="utf-8")
        if anchor not in _ANCHOR.findall(text):
            yield f"{alert['alert']}: no anchor {anchor} in {page.name}"
        elif f"`{alert['alert']}`" not in next(line for line in text.splitlines() if f'id="{anchor}"' in line):
            yield f"{alert['alert']}: the line at {anchor} does not name it"


def panels(board: Mapping[str, Any], exported: Exported, values: frozenset[str]) -> Iterator[str]:
    """Ids are unique, no panel lies on another, each has unit, data source and words, and asks for what there is."""
    ids = [panel["id"] for panel in board["panels"]]
    yield from (f"id {one}: there are two" for one in sorted(set(ids)) if ids.count(one) > 1)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        title, at = panel["title"], panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        if cells & taken or at["x"] + at["w"] > 24:
            yield f"{title}: lies on another, or outside"
        taken |= cells
        if panel["type"] == "row":
            continue
        if not panel.get("description") or not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{title}: no description or no unit"
        for target in panel["targets"]:
            if target["datasource"]["uid"] != "${datasource}":
                yield f"{title}: not the data source that was chosen"
            expression = target["expr"].replace("$__rate_interval", "5m")
            found = list(complaints(expression, exported, values))
            yield from (f"{title}: {what}" for what in found)
            if not found:
                shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                yield from (f"{title}: shows a label {one}" for one in shown - labels_of(expression, exported))
