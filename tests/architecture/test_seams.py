"""The tables of seams in docs/guarantees.md name the seams at which the tests kill, all of them and in their order."""

import ast
import re

import pytest

from tests.architecture.tree import ROOT

PAGE = ROOT / "docs" / "guarantees.md"
WRITE = "command-service/tests/integration/test_kafka_crashes.py"
GATEWAY = "command-service/tests/integration/test_gateway_crashes.py"
READ = "query-service/tests/integration/test_crash_seams.py"


def tables(page: str) -> list[list[str]]:
    """Return the first column of each table whose head is `seam`."""
    found: list[list[str]] = []
    inside = False
    for line in page.splitlines():
        inside = line.startswith("| seam |") or (inside and line.startswith("|"))
        if line.startswith("| seam |"):
            found.append([])
        elif inside and not line.startswith("|---"):
            found[-1].append(re.split(r" *\| *", line)[1])
    return found


def killed_at(path: str, name: str) -> list[str]:
    """Return the keys of a dict of the test, in their order."""
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name and isinstance(node.value, ast.Dict):
            return [ast.literal_eval(key) for key in node.value.keys if key]
    raise LookupError(f"{path} has no {name}")


def test_every_seam_is_on_the_page() -> None:
    tested = [(WRITE, "SEAMS"), (GATEWAY, "SEAMS"), (READ, "SEAMS"), (READ, "SWITCH_SEAMS")]
    assert tables(PAGE.read_text(encoding="utf-8")) == [killed_at(path, name) for path, name in tested]


def test_a_row_more_or_less_is_seen() -> None:
    head = "| seam | what |\n|---|---|\n"
    assert tables(f"{head}| sent, not deleted | again |\n\n{head}| a | b |\n| c | d |\n") == [
        ["sent, not deleted"],
        ["a", "c"],
    ]


def test_a_test_without_seams_is_seen() -> None:
    with pytest.raises(LookupError):
        killed_at(READ, "GONE")
