"""An upstream that takes this wheel gets pydantic, and nothing else."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest

import notes_contracts

ROOT = Path(notes_contracts.__file__).parent
# pydantic_core is the other half of pydantic, which requires the very version it was built for.
ALLOWED = sys.stdlib_module_names | {"pydantic", "pydantic_core", "notes_contracts"}


def imported_by(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0] if node.level == 0 else "notes_contracts")
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.name)
def test_a_module_imports_the_standard_library_and_pydantic_alone(path: Path) -> None:
    assert imported_by(path.read_text(encoding="utf-8")) <= ALLOWED


def test_an_import_of_anything_else_is_seen() -> None:
    assert imported_by("def f():\n    import aiokafka.errors\n") - ALLOWED == {"aiokafka"}
    assert imported_by("from yaml import load") - ALLOWED == {"yaml"}


def test_the_wheel_requires_pydantic_alone() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [requirement.partition(">")[0] for requirement in project["dependencies"]] == ["pydantic"]
    assert "optional-dependencies" not in project
