"""Nothing but what was started is ever stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tools.stack.errors import BuildingError, StackError, StartError
from tools.stack.folder import Folder, in_use
from tools.stack.keeper import WELL_AFTER, Wait, look
from tools.stack.launcher import start_mark
from tools.stack.native import servers
from tools.stack.ports import Ports, _reserved, reserve
from tools.stack.process import (
    Launch,
    Record,
    alive,
    ended,
    listens,
    load,
    order_file,
    poll,
    spawn,
    stop,
    wait_until,
)
from tools.stack.progress import Steps
from tools.stack.up import alone, down_with_left

SLEEPER = Launch("nowhere", [sys.executable, "-c", "print('here', flush=True); import time; time.sleep(60)"])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "stack")
    made.create()
    return made


def start_sleeper(folder: Folder, ports: list[int] | None = None, name: str = "sleeper") -> Record:
    record = spawn(folder, name, replace(SLEEPER, ports=ports or []))
    deadline = time.monotonic() + 20
    while "here" not in folder.log(name).read_text():
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


def test_a_process_listens_though_a_child_of_its_ends_while_we_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        gone = psutil.Process(child.pid)
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [gone])
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, mark = server.getsockname()[1], start_mark(os.getpid())
        assert mark is not None
        record = Record("me", f"127.0.0.1:{port}", "log", [port], os.getpid(), mark)
        assert listens(record)
    assert not listens(record)


def test_a_zombie_counts_as_ended():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert start_mark(child.pid) is None


def test_an_answer_of_somebody_else_is_not_ours(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tools.stack.process.DEADLINE", 0.2)
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        record = replace(start_sleeper(folder), ports=[stranger.getsockname()[1]])
        with pytest.raises(StartError, match="does not listen at nowhere"):
            wait_until("It", record, lambda: None)
        wait_until("We", replace(record, pid=os.getpid(), mark=start_mark(os.getpid()) or ""), lambda: None)
    stop(folder, record)


def test_a_port_is_reserved_for_as_long_as_its_process_lives(folder: Folder):
    port = Ports(folder).choose("sleeper")
    record = start_sleeper(folder, ports=[port])
    release(port)
    assert not reserve(port, folder.root / "other", "sleeper")
    stop(folder, record)
    assert reserve(port, folder.root / "other", "sleeper")


def release(port: int) -> None:
    os.close(_reserved.pop(port)[2])


def test_the_keeper_starts_again_what_has_ended_and_waits_longer_each_time(folder: Folder):
    record, waits = start_sleeper(folder), dict[str, Wait]()
    look(folder, waits)
    assert load(folder, "sleeper") == record
    for restarts, seconds in ((1, 1.0), (2, 2.0), (3, 4.0)):
        os.kill(record.pid, signal.SIGKILL)
        wait_for_end(record)
        if waits:
            look(folder, waits)
            assert load(folder, "sleeper") == record, "the back-off is not over"
            waits["sleeper"].since -= waits["sleeper"].seconds
        look(folder, waits)
        known = load(folder, "sleeper")
        assert known is not None
        record = known
        assert (alive(record), record.restarts, waits["sleeper"].seconds) == (True, restarts, seconds)
    waits["sleeper"].since -= WELL_AFTER
    look(folder, waits)
    assert waits == {}
    stop(folder, record)
    assert list(folder.run.iterdir()) == []


def wait_for_end(record: Record) -> None:
    deadline = time.monotonic() + 20
    while not ended(record):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_keeper_leaves_everything_alone_while_a_person_is_at_it(folder: Folder):
    record = start_sleeper(folder)
    os.kill(record.pid, signal.SIGKILL)
    wait_for_end(record)
    with alone(folder):
        look(folder, {})
    assert not (folder.root / "lock.pid").exists(), "later, nobody is named who is not at work"
    assert load(folder, "sleeper") == record
    stop(folder, record)


def test_a_second_up_is_told_of_the_first(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tools.stack.up.A_RESTART", 0.1)
    with alone(folder), pytest.raises(StackError, match=rf"process {os.getpid()}\)"), alone(folder):
        pass


def test_down_ends_what_a_soak_left_and_not_what_a_soak_uses(folder: Folder):
    left = Folder(folder.root / "soak")
    left.create()
    record = start_sleeper(left, name="mongo")
    with Steps(quiet=True) as steps:
        with in_use(left):
            assert not down_with_left(folder, steps)
            with pytest.raises(StackError, match="soak must end first"):
                down_with_left(folder, steps, purge=True)
        assert alive(record)
        assert down_with_left(folder, steps)
        assert not alive(record)
        assert not down_with_left(folder, steps)


def test_two_soaks_do_not_share_their_servers(tmp_path: Path):
    with in_use(Folder(tmp_path / "soak")), pytest.raises(StackError, match="soak runs already"):
        servers(tmp_path / "soak").__enter__()


def test_what_ends_just_before_the_signal_is_stopped_all_the_same(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    record = start_sleeper(folder)

    def kill(pid: int, how: int) -> None:
        os.kill(pid, signal.SIGKILL)
        wait_for_end(record)
        os.kill(pid, how)

    monkeypatch.setattr("tools.stack.process.os", SimpleNamespace(kill=kill))
    stop(folder, record)
    assert load(folder, "sleeper") is None


def test_a_restart_says_who_is_at_work(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    record, seen = start_sleeper(folder), list[str]()
    os.kill(record.pid, signal.SIGKILL)
    wait_for_end(record)
    monkeypatch.setattr("tools.stack.keeper.restart", lambda *_: seen.append((folder.root / "lock.pid").read_text()))
    look(folder, {})
    assert seen == [str(os.getpid())]
    stop(folder, record)


def test_a_build_of_read_models_has_no_deadline_and_what_comes_after_it_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tools.stack.process.DEADLINE", 0.1)
    monkeypatch.setattr("tools.stack.process.BUILDING_EVERY", 0.06)
    answers: list[Exception] = [BuildingError("notes version 2 is not complete yet")] * 4

    def check() -> None:
        raise answers.pop() if answers else TimeoutError("nothing")

    with pytest.raises(TimeoutError, match="within 0 s; the last one: TimeoutError: nothing"):
        poll(check)
    assert answers == []


def test_how_a_process_was_started_is_for_its_owner_alone(folder: Folder):
    record = start_sleeper(folder)
    assert order_file(folder, "sleeper").stat().st_mode & 0o077 == 0
    stop(folder, record)


def test_what_ignores_the_signal_is_killed_in_the_end(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tools.stack.process.KILL_AFTER", 0.2)
    record = start_sleeper(folder)
    assert stop(folder, record, how=signal.SIGCONT)
    assert not alive(record)
