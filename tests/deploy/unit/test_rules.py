"""Alert rules and dashboards ask for what the services export, and lead to a line that says what to do."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import rules as checks
from tests.deploy.exported import JOBS, ROOT, SIDES, Exported, exported, pages, values

FOLDER = {side: ROOT / f"{side}-service" / "deploy" / "observability" for side in SIDES}
PAGE = ROOT / "docs" / "operations.md"

Change = Callable[[Any], object]


def rules(side: str) -> Any:
    return yaml.safe_load((FOLDER[side] / "alerts.yml").read_text(encoding="utf-8"))


def board(side: str) -> Any:
    return json.loads((FOLDER[side] / "dashboard.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def known() -> dict[str, tuple[Exported, frozenset[str]]]:
    return {side: (exported(side), values(side) | JOBS[side]) for side in SIDES}


def of_rules(found: Any, side: str, known: dict[str, Any]) -> Iterator[str]:
    yield from checks.expressions(found, *known[side])
    yield from checks.forms(found)
    yield from checks.runbooks(found, FOLDER[side] / "alerts.yml")


@pytest.mark.parametrize("side", SIDES)
def test_alerts_ask_for_what_there_is_and_say_what_to_do(side: str, known: dict[str, Any]) -> None:
    assert len(checks.alerts(rules(side))) > 15
    assert list(of_rules(rules(side), side, known)) == []


@pytest.mark.parametrize("side", SIDES)
def test_a_dashboard_asks_for_what_there_is(side: str, known: dict[str, Any]) -> None:
    assert len(board(side)["panels"]) > 15
    assert list(checks.panels(board(side), *known[side])) == []
    assert board(side)["templating"]["list"][0]["name"] == "datasource"


def first(found: Any) -> Any:
    return checks.alerts(found)[0]


PLANTED: list[tuple[Change, str]] = [
    (lambda found: first(found).update(expr="sum(notes_command_gone_total) > 0"), "no metric notes_command_gone_total"),
    (lambda found: first(found).update(expr="notes_query_forks > 0"), "no metric notes_query_forks"),
    (lambda found: first(found).update(expr='notes_part_ok{piece="kafka"} == 0'), "notes_part_ok has no label piece"),
    (lambda found: first(found).update(expr='notes_part_ok{part=~"kafka|gone"} == 0'), "part is never gone"),
    (lambda found: first(found).update(expr='notes_ready{job="notes-query"} == 0'), "job is never notes-query"),
    (lambda found: first(found).update(expr="max by (topic) (notes_ready) == 0"), "no label topic to aggregate by"),
    (lambda found: first(found).update(expr="sum(notes_ready == 0"), "does not parse"),
    (lambda found: first(found)["annotations"].update(summary="{{ $labels.topic }}"), "tells a label topic"),
    (lambda found: first(found)["annotations"].update(runbook="../gone.md#alert-lag"), "no file ../gone.md"),
    (lambda found: first(found)["annotations"].pop("runbook"), "no runbook"),
    (
        lambda found: first(found)["annotations"].update(runbook="../../../docs/operations.md#alert-gone"),
        "no anchor alert-gone in operations.md",
    ),
    (
        lambda found: first(found)["annotations"].update(runbook="../../../docs/operations.md#alert-lag"),
        "the line at alert-lag does not name it",
    ),
    (lambda found: first(found)["labels"].update(severity="loud"), "no severity"),
    (lambda found: found["groups"].append(copy.deepcopy(found["groups"][0])), "there are two"),
]


@pytest.mark.parametrize(("change", "complaint"), PLANTED)
def test_a_planted_fault_of_an_alert_is_found(change: Change, complaint: str, known: dict[str, Any]) -> None:
    found = rules("command")
    change(found)
    assert any(complaint in one for one in of_rules(found, "command", known))


PLANTED_PANELS: list[tuple[Change, str]] = [
    (lambda panel: panel["targets"][0].update(expr="rate(notes_command_gone[$__rate_interval])"), "no metric"),
    (lambda panel: panel["targets"][0].update(legendFormat="{{topic}}"), "shows a label topic"),
    (lambda panel: panel["targets"][0]["datasource"].update(uid="mine"), "not the data source that was chosen"),
    (lambda panel: panel["fieldConfig"]["defaults"].pop("unit"), "no description or no unit"),
    (lambda panel: panel.update(id=1), "id 1: there are two"),
    (lambda panel: panel["gridPos"].update(x=2), "lies on another, or outside"),
]


@pytest.mark.parametrize(("change", "complaint"), PLANTED_PANELS)
def test_a_planted_fault_of_a_panel_is_found(change: Change, complaint: str, known: dict[str, Any]) -> None:
    found = board("command")
    change(found["panels"][1])
    assert any(complaint in one for one in checks.panels(found, *known["command"]))


def test_the_page_names_the_alerts_that_there_are() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith('| <a id="alert-')]
    named = {name for line in table for name in re.findall(r"`(Notes\w+)`", line)}
    assert named == {alert["alert"] for side in SIDES for alert in checks.alerts(rules(side))}


def test_memory_is_near_its_limit_at_nine_tenths_of_what_a_pod_may_have() -> None:
    for side in SIDES:
        pods = "".join(path.read_text() for path in (ROOT / f"{side}-service/deploy/kubernetes").glob("[adp]*.yaml"))
        assert set(re.findall(r'limits: \{cpu: "2", memory: (\w+)\}', pods)) == {"512Mi"}
        assert any("> 0.9 * 512 * 1024 * 1024" in alert["expr"] for alert in checks.alerts(rules(side)))


@pytest.mark.parametrize("side", SIDES)
def test_alerts_fire_when_they_should(side: str) -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not on PATH (Debian: prometheus): when alerts fire is not tried")
    tests = [path.name for path in FOLDER[side].glob("*_test.yml")]
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", *tests]):
        done = subprocess.run([promtool, *command], cwd=FOLDER[side], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_side_has_its_own() -> None:
    for side, folder in FOLDER.items():
        names = {path.name for path in Path(folder).iterdir()} - {"alerts_days_test.yml"}
        assert names == {"alerts.yml", "alerts_test.yml", "dashboard.json"}, side


@pytest.mark.parametrize("side", SIDES)
def test_the_pages_tell_of_every_metric_of_the_chassis(side: str, known: dict[str, Any]) -> None:
    told = {name.partition("{")[0].removesuffix("_total") for name in pages().split("`")[1::2]}
    names = {re.sub(r"_(bucket|sum|count|created|total)$", "", name) for name in known[side][0]}
    ours = {name for name in names if name.startswith("notes_") and not name.startswith(f"notes_{side}_")}
    assert {"notes_ready", "notes_part_ok", "notes_http_refused", "notes_access_refused"} <= ours
    assert ours <= told
