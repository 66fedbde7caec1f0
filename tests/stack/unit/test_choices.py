"""Which server, which port, which backend."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.stack import mongo, ports, postgres
from tools.stack.errors import MissingError, StackError
from tools.stack.folder import REPOSITORY, Folder
from tools.stack.kafka import kept_classes
from tools.stack.ports import Ports
from tools.stack.state import State, forget_ours, given_servers, remember_ours, save_state
from tools.stack.up import settle_auth


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    for name in ("NOTES_KAFKA", "NOTES_POSTGRES", "NOTES_MONGO", "NOTES_QUERY_PORT", "BACKEND"):
        monkeypatch.delenv(name, raising=False)
    made = Folder(tmp_path / "stack")
    made.create()
    return made


def port_of_nobody(folder: Folder) -> int:
    """Return one that was ours until now; nobody who runs beside us is likely to take just that one."""
    port = Ports(folder).choose("probe")
    os.close(ports._reserved.pop(port)[2])
    return port


def test_a_port_is_kept_while_it_is_free(folder: Folder):
    first = Ports(folder).choose("kafka")
    assert Ports(folder).choose("kafka") == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        second = Ports(folder).choose("kafka")
    assert second != first
    assert Ports(folder).choose("kafka") == second


def test_a_port_that_the_environment_names_comes_first(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    wanted = Ports(folder).choose("anything")
    monkeypatch.setenv("NOTES_QUERY_PORT", str(wanted))
    with pytest.raises(StackError, match=f"NOTES_QUERY_PORT is {wanted}, a port that is in use"):
        Ports(folder).choose("query")
    another = port_of_nobody(folder)
    monkeypatch.setenv("NOTES_COMMAND_PORT", str(another))
    assert Ports(folder).choose("command") == another


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "８０８０"])
def test_what_is_no_port_is_refused_by_name(folder: Folder, monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("NOTES_QUERY_PORT", text)
    with pytest.raises(StackError, match=r"NOTES_QUERY_PORT is .*, which is not a port"):
        Ports(folder).choose("query")


CHOOSE = """
import sys
from pathlib import Path
from tools.stack.folder import REPOSITORY, Folder
from tools.stack.ports import Ports
print(Ports(Folder(Path(sys.argv[1]))).choose("query"), flush=True)
sys.stdin.read()
"""


def test_starts_at_the_same_time_choose_different_ports(folder: Folder, tmp_path: Path):
    port = port_of_nobody(folder)
    others = []
    for name in ("one", "two", "three"):
        other = Folder(tmp_path / name)
        other.create()
        other.ports_file.write_text(json.dumps({"query": port}))  # as 8080 is the first choice of everybody
        others.append(other)
    pipe = subprocess.PIPE
    starts = [
        subprocess.Popen([sys.executable, "-c", CHOOSE, str(other.root)], cwd=REPOSITORY, stdin=pipe, stdout=pipe)
        for other in others
    ]
    chosen = [start.stdout.readline() for start in starts if start.stdout]
    for start in starts:
        start.communicate(b"")
    assert len(set(chosen)) == len(chosen) == 3
    assert f"{port}\n".encode() in chosen


def test_our_own_addresses_in_the_environment_are_not_somebody_elses(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    remember_ours(folder, {"kafka": "127.0.0.1:20001"})
    monkeypatch.setenv("NOTES_KAFKA", "127.0.0.1:20001")
    monkeypatch.setenv("NOTES_MONGO", "mongodb://db.example/notes")
    assert given_servers(folder) == {"mongo": "mongodb://db.example/notes"}
    assert set(given_servers()) == {"kafka", "mongo"}


def test_what_up_wrote_into_a_shell_is_forgotten_and_what_others_gave_is_not(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
):
    theirs = {"NOTES_MONGO": "mongodb://db.example/notes", "NOTES_CORS_ORIGINS": "https://notes.example"}
    ours = {
        "NOTES_KAFKA": "127.0.0.1:20001",
        "NOTES_COMMAND_URL": "http://127.0.0.1:8081",
        "NOTES_KAFKA_USERNAME": "me",
    }
    monkeypatch.setattr(os, "environ", theirs | ours)
    assert not forget_ours(folder)
    assert os.environ == theirs | ours
    remember_ours(folder, {"kafka": "127.0.0.1:20001", "mongo": "mongodb://127.0.0.1:20002/notes"})
    assert forget_ours(folder)
    assert os.environ == theirs


@pytest.mark.parametrize("auth", ["none", "oidc"])
def test_without_auth_a_stack_stays_as_closed_as_it_is(folder: Folder, monkeypatch: pytest.MonkeyPatch, auth: str):
    monkeypatch.delenv("AUTH", raising=False)
    assert settle_auth(folder) == "none"
    save_state(folder, State("native", {"auth": auth}))
    assert settle_auth(folder) == auth
    assert not folder.env_file.exists(), "addresses are not known yet"
    monkeypatch.setenv("AUTH", "none" if auth == "oidc" else "oidc")
    with pytest.raises(StackError, match=f"is up with AUTH={auth}"):
        settle_auth(folder)


@pytest.mark.parametrize(("find", "name"), [(mongo.find_mongod, "MongoDB"), (postgres.find_programs, "PostgreSQL")])
def test_a_server_that_is_not_there_is_named(find: Callable[[], object], name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(postgres, "installed", list)
    with pytest.raises(MissingError, match=f"^{name} is missing.* Install .* or set NOTES_{name[:5].upper()}"):
        find()


def test_a_broker_takes_its_classes_from_an_archive_of_its_java_or_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    one, other = tmp_path / "java-17", tmp_path / "java-21"
    for java in (one, other):
        java.touch()
    made, _, archive = kept_classes(str(one)).partition("=")
    assert made == "-XX:ArchiveClassesAtExit"
    for half in (b"", bytes(100)):
        Path(archive).write_bytes(half)
        assert kept_classes(str(one)).startswith(made), "Java was killed while it made it"
    Path(archive).write_bytes(b"whole")
    assert kept_classes(str(one)) == f"-XX:SharedArchiveFile={archive}"
    assert kept_classes(str(other)).startswith(made), "another Java has an archive of its own"
