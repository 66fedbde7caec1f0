"""Each side alone: built, installed and tested from wheels, with the other side neither installed nor on disk.

`make alone` does it in new virtual environments with the pinned versions. The golden messages are those of the last
release of the contracts.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.contract_gate.release import RELEASED, REPOSITORY, released

SIDES: Final = {"command": "query", "query": "command"}
PACKAGES: Final = ("contracts", "chassis", "command-service", "query-service")
TESTED_WITH: Final = (
    *("pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "hypothesis", "httpx", "psutil", "filelock"),
    *("testcontainers", "jgo", "asyncpg", "motor", "aiokafka", "pyyaml", "openapi-spec-validator", "rich"),
    "markdown-it-py",
)
"""What the tests and the servers for tests import besides the side itself."""
PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check")
NEEDED: Final = ("conftest.py", "pyproject.toml", "tests/servers", "tests/harness", "tests/contract", "tools", "docs")
CONTRACT: Final = {
    "command": ("test_command_service_reads.py", "test_command_service_writes.py"),
    "query": ("test_query_service_reads.py",),
}


def main() -> int:
    """Test both sides; 1 if one of them fails."""
    with tempfile.TemporaryDirectory(prefix="notes-alone-") as folder:
        wheels = build(Path(folder) / "wheels")
        for side, other in SIDES.items():
            print(f"{side}-service alone, without {other}-service:", flush=True)
            place = lay_out(side, Path(folder) / side)
            python = install(side, place, wheels)
            unit = f"{side}-service/tests/unit"
            if code := test(side, place, python, [unit, *contract_tests(side)]):
                return code
    return 0


def build(wheels: Path) -> Path:
    """Build the wheel of every package into `wheels`, and return it."""
    wheel = ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels)]
    subprocess.run([*PIP, *wheel, *(str(REPOSITORY / name) for name in PACKAGES)], check=True)
    return wheels


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


def install(side: str, place: Path, wheels: Path, libraries: Path | None = None) -> Path:
    """Make an environment with the side, the contracts and the chassis, and return its Python.

    Libraries come from the registry in the pinned versions, or out of `libraries`, the packages of another
    environment, of which ours are not taken over: they are installed there by path files, which do not count here.
    """
    environment = place / ".venv"
    ours = [str(next(wheels.glob(f"notes_{name}-*.whl"))) for name in ("contracts", "chassis", side)]
    pip = [*PIP, "--python", str(environment), "install", "-q"]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    if libraries is None:
        pins = re.findall(r"^[\w.-]+(?:\[.*\])?==\S+", (REPOSITORY / "requirements-dev.txt").read_text(), re.MULTILINE)
        constraints = place / "constraints.txt"
        constraints.write_text("\n".join(re.sub(r"\[.*\]", "", pin) for pin in pins))
        subprocess.run([*pip, "-c", str(constraints), *ours, *TESTED_WITH], check=True)
    else:
        subprocess.run([*pip, "--no-deps", "--no-index", *ours], check=True)
        (packages,) = environment.glob("lib/python*/site-packages")
        (packages / "libraries.pth").write_text(f"{libraries}\n")
    return environment / "bin" / "python"


def contract_tests(side: str) -> list[str]:
    """Return the tests of the golden messages that concern this side."""
    return [f"tests/contract/{name}" for name in CONTRACT[side]]


def test(side: str, place: Path, python: Path, tests: Sequence[str]) -> int:
    """Run tests in `place`, after a look that the other side is not there; return pytest's exit code."""
    look = (
        "import importlib.util, sys; names = sys.argv[1:];"
        "there = [name for name in names if importlib.util.find_spec(name)];"
        "sys.exit(there != names[:1] and f'{there} can be imported, not {names[0]} alone')"
    )
    for command in (
        [str(python), "-c", look, f"notes_{side}", f"notes_{SIDES[side]}"],
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
    ):
        if code := subprocess.run(command, cwd=place, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
