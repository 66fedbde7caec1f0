"""Docker or native, seen by a program that stands in for docker."""

import os
from pathlib import Path

import pytest

from tools.stack import docker
from tools.stack.docker import choose_backend, images
from tools.stack.errors import StackError
from tools.stack.folder import Folder
from tools.stack.state import State, last_backend, save_state
from tools.stack.status import show_logs, show_status

DOCKER = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$1 $2" in
  "info ") exit ${INFO:-0} ;;
  "context inspect") echo "${DOCKER_HOST:-unix:///var/run/docker.sock}" ;;
  "image inspect") exit ${IMAGE:-0} ;;
  "pull --quiet") echo "Error: dial tcp: no route" >&2; exit ${PULL:-1} ;;
esac
"""
REMOTE = "its engine is on another machine"
NO_IMAGE = r"its engine cannot pull apache/kafka.* \(Error: dial tcp: no route\)"
REFUSED = "refused: "


@pytest.fixture(autouse=True)
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for name in ("BACKEND", "DOCKER_HOST", "INFO", "IMAGE", "PULL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


@pytest.mark.parametrize(
    ("asked", "last", "engine", "taken", "said"),
    [
        ("auto", None, {}, "docker", ""),
        ("auto", None, {"INFO": "1"}, "native", ""),
        ("auto", None, {"DOCKER_HOST": "tcp://10.0.0.1:2376"}, "native", REMOTE),
        ("auto", None, {"DOCKER_HOST": "ssh://me@build"}, "native", REMOTE),
        ("auto", None, {"DOCKER_HOST": "tcp://127.0.0.1:2375"}, "docker", ""),
        ("auto", None, {"IMAGE": "1"}, "native", NO_IMAGE),
        ("auto", None, {"IMAGE": "1", "PULL": "0"}, "docker", "pulls postgres:17"),
        ("docker", None, {"INFO": "1"}, REFUSED, "BACKEND is docker, but `docker info` gets no answer"),
        ("docker", None, {"DOCKER_HOST": "tcp://10.0.0.1:2376"}, REFUSED, REMOTE),
        ("docker", None, {"IMAGE": "1"}, REFUSED, NO_IMAGE),
        ("auto", "native", {}, "native", "the notes of the last start are native"),
        ("auto", "native", {"INFO": "1"}, "native", ""),
        ("docker", "native", {}, "docker", "left aside: BACKEND=native brings them back"),
        ("auto", "docker", {}, "docker", ""),
        ("auto", "docker", {"INFO": "1"}, REFUSED, "The notes of the last start are in Docker, but"),
        ("native", "docker", {"INFO": "1"}, "native", "left aside: BACKEND=docker brings them back"),
        ("podman", None, {}, REFUSED, "BACKEND is 'podman'; it can be docker, native, auto"),
    ],
)
def test_docker_is_taken_where_it_is_of_use_and_no_notes_are_left_aside_silently(
    asked: str,
    last: str | None,
    engine: dict[str, str],
    taken: str,
    said: str,
    *,
    monkeypatch: pytest.MonkeyPatch,
):
    for name, value in {"BACKEND": asked, **engine}.items():
        monkeypatch.setenv(name, value)
    told: list[str] = []
    if taken == REFUSED:
        with pytest.raises(StackError, match=said):
            choose_backend(last=last, say=told.append)
        return
    assert choose_backend(last=last, say=told.append) == taken
    assert ".*" in said or said in "\n".join(told)
    assert bool(told) == bool(said)


def test_without_a_docker_command_it_is_native_or_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose_backend() == "native"
    monkeypatch.setenv("BACKEND", "docker")
    with pytest.raises(StackError, match="BACKEND is docker, but `docker info` gets no answer"):
        choose_backend()


def test_every_image_that_is_needed_is_looked_for():
    assert images() == ["apache/kafka:4.1.0", "postgres:17", "mongo:7.0", "python:3.13-slim"]


def test_the_backend_that_has_the_notes_is_remembered(tmp_path: Path):
    folder = Folder(tmp_path / "stack")
    folder.create()
    assert last_backend(folder) is None
    save_state(folder, State("native", given=["kafka", "postgres", "mongo"]))
    assert last_backend(folder) is None, "the notes are elsewhere"
    save_state(folder, State("docker", given=["kafka"]))
    folder.forget()
    assert last_backend(folder) == "docker"


def test_logs_that_the_other_backend_left_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    folder = Folder(tmp_path / "stack")
    folder.create()
    for name in ("kafka", "kafka-format", "command", "compose"):
        folder.log(name).write_text(f"a line of {name}\n")
    save_state(folder, State("docker"))
    folder.forget()
    show_logs(folder, None, follow=False)
    assert capsys.readouterr().out.count("a line of") == 1
    monkeypatch.setattr(docker, "containers", lambda _: [{"Service": "kafka"}, {"Service": "command"}])
    executed: list[list[str]] = []
    monkeypatch.setattr(os, "execvpe", lambda _, words, __: executed.append(words))
    save_state(folder, State("docker"))
    show_logs(folder, "kafka", follow=False)
    assert capsys.readouterr().out == ""
    assert executed[0][-3:] == ["logs", "--tail=20", "kafka"]
    with pytest.raises(StackError, match=r"no log called mongo\. There are: command, compose, kafka"):
        show_logs(folder, "mongo", follow=False)


def test_a_demo_that_was_kept_is_seen_by_logs_and_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = Folder(tmp_path / "stack")
    folder.create()
    with pytest.raises(StackError, match=r"^There are no logs yet\.$"):
        show_logs(folder, None, follow=False)
    demo = Folder(folder.root / "demo")
    demo.create()
    demo.log("command").write_text("a line of the demo\n")
    save_state(demo, State("native", {"kafka": "127.0.0.1:20001"}))
    show_logs(folder, None, follow=False)
    assert "a line of the demo" in capsys.readouterr().out
    assert show_status(folder) == 1
    assert capsys.readouterr().out.startswith(f"{demo.root}:\n")
    save_state(folder, State("native"))
    show_status(folder)
    assert capsys.readouterr().out.count("command-service") == 2, "a table for each"
