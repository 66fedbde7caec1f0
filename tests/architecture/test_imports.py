"""`lint-imports` is content with the tree, and each of its rules fails where its violation is planted."""

import os
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
# Rule, the module that breaks it, its text.
PLANTED = [
    ("rooms-of-command-service", f"{COMMAND}/domain/planted.py", "from notes_command.pipeline import decide"),
    ("rooms-of-command-service", f"{COMMAND}/commands/planted.py", "from notes_command.outbox import row"),
    ("rooms-of-command-service", f"{COMMAND}/outbox/planted.py", "from notes_command.pipeline import store"),
    ("rooms-of-command-service", f"{COMMAND}/pipeline/planted.py", "import notes_command.gateway.problems"),
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


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_everybody_imports_only_what_they_may() -> None:
    found = lint_imports(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_a_rule_bites(rule: str, path: str, text: str, copy: Path) -> None:
    (copy / path).write_text(text + "\n", encoding="utf-8")
    found = lint_imports(copy, "--contract", rule)
    name = contracts()[rule]
    assert found.returncode == 1, found.stdout + found.stderr
    assert f"{name} BROKEN" in found.stdout
    assert "planted" in found.stdout.partition("Broken contracts")[2]


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(contracts())
