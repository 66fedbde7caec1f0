"""What `down` asks of compose, seen by a program that stands in for docker and writes down how it is called."""

import os
from pathlib import Path

import pytest

from tools.stack.docker import project
from tools.stack.folder import Folder
from tools.stack.progress import Steps
from tools.stack.state import State, save_state
from tools.stack.up import down


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    written = tmp_path / "calls"
    written.touch()
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> "{written}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return written


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Give a folder in which the stack was up in containers, and is down again."""
    made = Folder(tmp_path / "stack")
    made.create()
    made.log("compose").touch()
    return made


def test_data_outlive_down(folder: Folder, calls: Path):
    save_state(folder, State("docker"))
    with Steps() as steps:
        assert down(folder, steps)
    (call,) = calls.read_text().splitlines()
    assert f"-p {project(folder)} " in call
    assert call.endswith("down --remove-orphans")


def test_a_purge_removes_volumes_and_images_though_nothing_is_up(folder: Folder, calls: Path):
    with Steps() as steps:
        assert down(folder, steps, purge=True)
    (call,) = calls.read_text().splitlines()
    assert call.endswith("down --remove-orphans --volumes --rmi local")


def test_a_second_purge_finds_nothing(folder: Folder, calls: Path):
    with Steps() as steps:
        down(folder, steps, purge=True)
        assert not down(folder, steps, purge=True)
    assert len(calls.read_text().splitlines()) == 1
