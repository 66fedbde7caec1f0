"""The README's tour does what it says, pasted as it stands."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.e2e.pair import Pair

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WATCHED = """
curl() {
  echo "<<< $*" | head -1
  command curl -sS --fail-with-body "$@" || { test $? = 28 && echo "ended by its limit of time" || echo FAILED; }
  echo
}
"""


def test_the_tour_works_as_it_stands(pair: Pair, tmp_path: Path) -> None:
    """What `make up` does is tested elsewhere: here the system is given, and `make` does nothing."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    tour = "".join(block for block in blocks if re.search(r"^(?:make up|curl|tools/|make down)", block, re.MULTILINE))
    commands = [line.split()[:2] for line in tour.splitlines() if line.startswith("make ")]
    assert commands == [["make", "up"], ["make", "status"], ["make", "down"]], "the system is there until the end"
    for name in ("tools", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns(".*"))
    (tmp_path / ".stack").mkdir()
    (tmp_path / ".stack" / "env").write_text("".join(f"{name}={value}\n" for name, value in pair.environment.items()))
    script = f"{WATCHED}make() {{ :; }}\n{tour}".replace('"notes.commands"', f'"{pair.topics.commands}"')
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=110
    )
    assert "FAILED" not in done.stdout, done.stdout + done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("curl: (28)")] == []
    answers = [piece.partition("\n")[2].strip() for piece in done.stdout.split("<<< ")[1:]]
    created, first, second, tagged, changes, found, history, tags = answers
    assert '"status":"accepted"' in created
    assert '"version":1' in first
    assert '"preview":"Hello"' in second
    assert [item["title"] for item in json.loads(tagged)["items"]] == ["By hand"]
    assert json.loads(found)["items"]
    assert [item["version"] for item in json.loads(history)["items"]] == [1, 2]
    assert {"tag": "docs", "count": 1} in json.loads(tags)["items"]
    assert "ended by its limit of time" in changes
    assert "rejected               0" in done.stdout
