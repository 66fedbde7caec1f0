"""The page's pure modules are tested where they run: by Node, without a package installed."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "web/src/notes_web/static"
TESTS = sorted((ROOT / "web/tests/js").glob("*.test.js"))
LINES_MAX = 250
OLDEST = 20
PARSE = """
const { SourceTextModule } = require("node:vm");
const { readFileSync } = require("node:fs");
for (const path of process.argv.slice(1)) new SourceTextModule(readFileSync(path, "utf-8"), { identifier: path });
"""
IMPORT = re.compile(r"""(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']""")


def own_modules() -> list[Path]:
    return [path for path in STATIC.rglob("*.js") if "vendor" not in path.parts]


@cache
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node was not found: the tests of the page's modules are left out")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < OLDEST:
        pytest.skip(f"node is {version}; the tests of the page's modules need {OLDEST} or newer")
    return found


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_module_does_what_its_tests_say(path: Path) -> None:
    ran = subprocess.run([node(), str(path)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr
    passed = re.search(r"^. pass (\d+)$", ran.stdout, re.MULTILINE)
    assert passed, ran.stdout[-2000:]
    assert int(passed[1]) > 1


def test_every_module_can_be_parsed() -> None:
    parse = [node(), "--no-warnings", "--experimental-vm-modules", "--eval", PARSE, *map(str, own_modules())]
    checked = subprocess.run(parse, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def complaints(path: Path, text: str) -> list[str]:
    """Say what a browser that takes modules as they are would not load, or a reader not take in."""
    lines = len(text.splitlines())
    found = [f"{path.name} has {lines} lines"] if lines > LINES_MAX else []
    for name in IMPORT.findall(text):
        if not name.startswith("."):
            found.append(f"{path.name} imports {name}, which is not relative")
        elif not (path.parent / name).is_file():
            found.append(f"{path.name} imports {name}, which is not there")
    return found


def test_modules_are_short_and_import_each_other_by_relative_paths() -> None:
    found = [one for path in own_modules() for one in complaints(path, path.read_text(encoding="utf-8"))]
    assert found == []


def test_a_long_module_and_a_bare_import_are_seen() -> None:
    text = 'import { h } from "preact";\nconst lazy = import("./nowhere.js");\n' + "\n" * LINES_MAX
    assert complaints(STATIC / "planted.js", text) == [
        "planted.js has 252 lines",
        "planted.js imports preact, which is not relative",
        "planted.js imports ./nowhere.js, which is not there",
    ]
