"""Nothing but what was started is ever stopped."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tools.stack.folder import Folder
from tools.stack.process import Launch, Record, alive, load, spawn, start_mark, stop

SLEEPER = Launch([sys.executable, "-c", "print('here', flush=True); import time; time.sleep(60)"])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "stack")
    made.create()
    return made


def start_sleeper(folder: Folder) -> Record:
    record = spawn(folder, Record("sleeper", "nowhere", str(folder.log("sleeper"))), SLEEPER)
    deadline = time.monotonic() + 20
    while "here" not in folder.log("sleeper").read_text():
        assert time.monotonic() < deadline, "the process did not start"
        time.sleep(0.01)
    return record


def test_a_process_is_known_by_its_own_record_and_stopped(folder: Folder):
    record = start_sleeper(folder)
    written = load(folder, "sleeper")
    assert written == record
    assert alive(written)
    stop(folder, written)
    assert not alive(written)
    assert load(folder, "sleeper") is None


def test_a_reused_pid_is_left_alone(folder: Folder):
    record = start_sleeper(folder)
    stale = replace(record, mark="1")
    assert not alive(stale)
    stop(folder, stale)
    assert alive(record)
    stop(folder, record)


def test_a_zombie_counts_as_ended():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert start_mark(child.pid) is None


def test_what_ignores_the_signal_is_killed_in_the_end(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tools.stack.process.KILL_AFTER", 0.2)
    record = start_sleeper(folder)
    assert stop(folder, record, how=signal.SIGCONT)
    assert not alive(record)
