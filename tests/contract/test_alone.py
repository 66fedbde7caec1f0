"""Each side works without the other: from its wheel, the contracts, the chassis and the released golden messages.

`make alone` (ALONE=1) runs all its unit tests so, with the pinned libraries out of the registry; else they are borrowed
from this environment, and no network is needed.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.contract_gate.release import RELEASED, REPOSITORY, released

WHOLE = bool(os.environ.get("ALONE"))
SIDES = {"command": "query", "query": "command"}
PACKAGES = ("contracts", "chassis", "command-service", "query-service")
TESTED_WITH = (
    *("pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "hypothesis", "httpx", "psutil", "filelock"),
    *("testcontainers", "jgo", "asyncpg", "motor", "aiokafka", "pyyaml", "openapi-spec-validator", "rich"),
    "markdown-it-py",
)
"""What the tests and the servers for tests import besides the side itself."""
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
NEEDED = ("conftest.py", "pyproject.toml", "tests/servers", "tests/harness", "tests/contract", "tools", "docs")
CONTRACT = {
    "command": ["test_command_service_reads.py", "test_command_service_writes.py"],
    "query": ["test_query_service_reads.py"],
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of every package."""
    found = tmp_path_factory.mktemp("wheels")
    wheel = ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(found)]
    subprocess.run([*PIP, *wheel, *(str(REPOSITORY / name) for name in PACKAGES)], check=True)
    return found


@pytest.mark.timeout(1800 if WHOLE else 300)
@pytest.mark.parametrize("side", SIDES)
def test_each_side_reads_and_writes_the_released_messages_without_the_other(side: str, wheels: Path, tmp_path: Path):
    place, other = lay_out(side, tmp_path / side), SIDES[side]
    assert not [path for path in place.rglob("*") if path.name in {f"{other}-service", f"notes_{other}", "src"}]
    python = install(side, place, wheels)
    assert run(side, place, python, [f"{side}-service/tests/unit"] if WHOLE else []) == 0


@pytest.mark.timeout(1800 if WHOLE else 300)
def test_a_side_that_is_there_is_seen(wheels: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The look for the other side bites: here it is in the folder."""
    place = lay_out("command", tmp_path / "command")
    python = install("command", place, wheels)
    (place / "notes_query").mkdir()
    assert run("command", place, python) == 1
    assert "['notes_command', 'notes_query'] can be imported, not notes_command alone" in capfd.readouterr().err


def lay_out(side: str, place: Path) -> Path:
    """Copy what the side's tests need to `place`: no source of ours, and nothing of the other side."""
    for name in (*NEEDED, f"{side}-service"):
        source, target = REPOSITORY / name, place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "src", "dist"))
        else:
            shutil.copy(source, target)
    golden = place / "tests" / "contract" / "golden"
    shutil.rmtree(golden)
    shutil.copytree(RELEASED / released()[-1].name / "golden", golden)
    return place


def install(side: str, place: Path, wheels: Path) -> Path:
    """Make an environment with the side, the contracts and the chassis, and return its Python.

    Of borrowed libraries ours are not taken over: they are installed there by path files, which do not count here.
    """
    environment = place / ".venv"
    ours = [str(next(wheels.glob(f"notes_{name}-*.whl"))) for name in ("contracts", "chassis", side)]
    pip = [*PIP, "--python", str(environment), "install", "-q"]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    if WHOLE:
        pins = re.findall(r"^[\w.-]+(?:\[.*\])?==\S+", (REPOSITORY / "requirements-dev.txt").read_text(), re.MULTILINE)
        constraints = place / "constraints.txt"
        constraints.write_text("\n".join(re.sub(r"\[.*\]", "", pin) for pin in pins))
        subprocess.run([*pip, "-c", str(constraints), *ours, *TESTED_WITH], check=True)
    else:
        subprocess.run([*pip, "--no-deps", "--no-index", *ours], check=True)
        (packages,) = environment.glob("lib/python*/site-packages")
        (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return environment / "bin" / "python"


def run(side: str, place: Path, python: Path, tests: Sequence[str] = ()) -> int:
    """Look that the other side is not there, run tests and those of the golden messages; return the exit code."""
    look = (
        "import importlib.util, sys; names = sys.argv[1:];"
        "there = [name for name in names if importlib.util.find_spec(name)];"
        "sys.exit(there != names[:1] and f'{there} can be imported, not {names[0]} alone')"
    )
    golden = [f"tests/contract/{name}" for name in CONTRACT[side]]
    for command in (
        [str(python), "-c", look, f"notes_{side}", f"notes_{SIDES[side]}"],
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *golden],
    ):
        if code := subprocess.run(command, cwd=place, check=False).returncode:
            return code
    return 0
