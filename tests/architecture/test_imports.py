"""`lint-imports` is content with the tree, and each of its rules fails where its violation is planted."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

COPIED = (
    "contracts/src",
    "chassis/src",
    "command-service/src",
    "query-service/src",
    "web/src",
    "tools",
    "tests/architecture",
    "pyproject.toml",
)
COMMAND, QUERY = "command-service/src/notes_command", "query-service/src/notes_query"
CONTRACTS = "contracts/src/notes_contracts"
CHASSIS = "chassis/src/notes_chassis"
BESIDE = {"rooms-of-command-service": COMMAND, "rooms-of-query-service": QUERY}
"""Where each rule of rooms finds a module that is in no room."""
# Rule, the module that breaks it, its text.
PLANTED = [
    ("rooms-of-command-service", f"{COMMAND}/domain/planted.py", "from notes_command.pipeline import decide"),
    ("rooms-of-command-service", f"{COMMAND}/commands/planted.py", "from notes_command.outbox import row"),
    ("rooms-of-command-service", f"{COMMAND}/outbox/planted.py", "from notes_command.pipeline import store"),
    ("rooms-of-command-service", f"{COMMAND}/pipeline/planted.py", "import notes_command.gateway.openapi"),
    ("rooms-of-command-service", f"{COMMAND}/gateway/planted.py", "from notes_command.snapshots import republish"),
    ("rooms-of-command-service", f"{COMMAND}/dead_letters/planted.py", "from notes_command.snapshots import republish"),
    ("rooms-of-command-service", f"{COMMAND}/snapshots/planted.py", "from notes_command import app"),
    ("rooms-of-command-service", f"{COMMAND}/domain/planted.py", "from notes_command.settings import Settings"),
    ("rooms-of-command-service", f"{COMMAND}/planted.py", ""),
    ("rooms-of-query-service", f"{QUERY}/mongo/planted.py", "from notes_query.projecting import pending"),
    ("rooms-of-query-service", f"{QUERY}/projecting/planted.py", "import notes_query.monitoring.metrics"),
    ("rooms-of-query-service", f"{QUERY}/monitoring/planted.py", "from notes_query.http import problems"),
    ("rooms-of-query-service", f"{QUERY}/http/planted.py", "from notes_query.repairing import gaps"),
    ("rooms-of-query-service", f"{QUERY}/repairing/planted.py", "from notes_query.rebuilding import builds"),
    ("rooms-of-query-service", f"{QUERY}/rebuilding/planted.py", "from notes_query.reads import get_note"),
    ("rooms-of-query-service", f"{QUERY}/rebuilding/planted.py", "from notes_query.repairing import gaps"),
    ("rooms-of-query-service", f"{QUERY}/live/planted.py", "from notes_query.rebuilding import builds"),
    ("rooms-of-query-service", f"{QUERY}/live/planted.py", "from notes_query.reads import get_note"),
    ("rooms-of-query-service", f"{QUERY}/reads/planted.py", "from notes_query.live import hub"),
    ("rooms-of-query-service", f"{QUERY}/reads/planted.py", "from notes_query.composition import shared"),
    ("rooms-of-query-service", f"{QUERY}/composition/planted.py", "from notes_query import app"),
    ("rooms-of-query-service", f"{QUERY}/projections/planted.py", "from notes_query.settings import Settings"),
    ("rooms-of-query-service", f"{QUERY}/planted.py", ""),
    ("pure-domain", f"{COMMAND}/domain/planted.py", "import sqlalchemy"),
    ("pure-domain", f"{COMMAND}/domain/planted.py", "from pydantic import BaseModel"),
    ("pure-domain", f"{COMMAND}/domain/planted.py", "from notes_contracts import Code"),
    ("pure-domain", f"{COMMAND}/domain/planted.py", "def f():\n    import a_library_nobody_thought_of"),
    ("pure-projections", f"{QUERY}/projections/planted.py", "import motor"),
    ("commands-decide-alone", f"{COMMAND}/commands/planted.py", "import aiokafka"),
    ("commands-decide-alone", f"{COMMAND}/commands/planted.py", "from notes_command import settings"),
    ("contracts-alone", f"{CONTRACTS}/planted.py", "from aiokafka import ConsumerRecord"),
    ("contracts-alone", f"{CONTRACTS}/planted.py", "import notes_query"),
    ("chassis-knows-no-notes", f"{CHASSIS}/planted.py", "import notes_contracts"),
    ("chassis-knows-no-notes", f"{CHASSIS}/kafka/planted.py", "from notes_query import settings"),
    ("tools-never-ship", f"{CHASSIS}/planted.py", "import tools"),
    ("independent-services", f"{COMMAND}/planted.py", "from notes_query.projections import note"),
    ("independent-services", f"{QUERY}/mongo/planted.py", "from notes_command.outbox import row"),
    ("independent-services", "web/src/notes_web/planted.py", "from notes_query import settings"),
    ("independent-services", f"{COMMAND}/gateway/planted.py", "import notes_web"),
    ("projecting-without-kafka-and-http", f"{QUERY}/projecting/planted.py", "import aiokafka"),
    ("http-where-it-is-answered", f"{QUERY}/repairing/planted.py", "from fastapi import APIRouter"),
    ("mongo-in-named-files", f"{QUERY}/reads/planted.py", "from motor.motor_asyncio import AsyncIOMotorClient"),
    ("mongo-in-named-files", f"{COMMAND}/outbox/planted.py", "from pymongo import MongoClient"),
    ("sql-in-one-place", f"{COMMAND}/gateway/planted.py", "from sqlalchemy import text"),
    ("sql-in-one-place", f"{COMMAND}/outbox/planted.py", "import asyncpg"),
    ("sql-in-one-place", f"{QUERY}/planted.py", "import alembic"),
    ("sql-in-one-place", f"{COMMAND}/pipeline/planted.py", "import asyncpg"),
    ("kafka-in-one-place", f"{COMMAND}/pipeline/planted.py", "from aiokafka import AIOKafkaProducer"),
    ("http-in-one-place", f"{COMMAND}/pipeline/planted.py", "from fastapi import Request"),
    ("tools-never-ship", f"{QUERY}/planted.py", "from tools.stack import ports"),
    ("tools-never-ship", f"{CONTRACTS}/planted.py", "import tools"),
    ("importer-is-an-upstream", "tools/markdown_import/planted.py", "from notes_command.domain import note"),
]


def lint_imports(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it in `root`, on the packages of `root`: they go before the installed ones."""
    sources = [str(root / name) for name in COPIED if name.endswith("/src")]
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            "--no-cache",
            *arguments,
        ],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sources), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def contracts() -> dict[str, str]:
    """Return the name of each rule by its id."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["id"]: contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}


def together() -> list[list[int]]:
    """Return the places of violations that can be planted at once: no two that one rule has to find.

    To build the graph of all imports takes a third of a second of CPU, so not each violation has one of its own.
    """
    groups: list[tuple[set[str], list[int]]] = []
    for number, (rule, path, _) in enumerate(PLANTED):
        # A module beside the rooms breaks their rule as well.
        rules = {rule, *(name for name, folder in BESIDE.items() if path == f"{folder}/planted.py")}
        fitting = next((group for group in groups if not group[0] & rules), None)
        if fitting is None:
            groups.append(fitting := (set(), []))
        fitting[0].update(rules)
        fitting[1].append(number)
    return [numbers for _, numbers in groups]


def of_rule(said: str, name: str) -> str:
    """Return what is said of a broken rule."""
    return said.partition(f"\n{name}\n{'-' * len(name)}\n")[2].partition("\n---")[0]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(ROOT / name, made / name)
    return made


def test_everybody_imports_only_what_they_may() -> None:
    found = lint_imports(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("numbers", together(), ids=lambda numbers: "-".join(map(str, numbers)))
def test_rules_bite(numbers: list[int], copy: Path) -> None:
    planted = {}
    for number in numbers:
        rule, path, text = PLANTED[number]
        planted[rule] = (copy / path).with_name(f"planted_{number}.py")
        planted[rule].write_text(text + "\n", encoding="utf-8")
    try:
        found = lint_imports(copy, *(word for rule in planted for word in ("--contract", rule)))
    finally:
        for file in planted.values():
            file.unlink()
    assert found.returncode == 1, found.stdout + found.stderr
    for rule, file in planted.items():
        name = contracts()[rule]
        assert f"{name} BROKEN" in found.stdout
        said = of_rule(found.stdout.partition("Broken contracts")[2], name)
        assert file.stem in re.split(r"[^\w]+", said), f"{rule} does not find {file}: {said}"


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(contracts())
