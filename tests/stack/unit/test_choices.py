"""Which server, which port, which backend."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.stack import backend, mongo, postgres_programs
from tools.stack.errors import MissingError, RefusedError
from tools.stack.folder import Folder
from tools.stack.given import given_servers, remember_ours
from tools.stack.ports import Ports


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    for name in ("NOTES_KAFKA", "NOTES_POSTGRES", "NOTES_MONGO", "NOTES_QUERY_PORT", "BACKEND"):
        monkeypatch.delenv(name, raising=False)
    made = Folder(tmp_path / "stack")
    made.create()
    return made


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
    ports = Ports(folder)
    wanted = ports.choose("anything")
    monkeypatch.setenv("NOTES_QUERY_PORT", str(wanted))
    assert Ports(folder).choose("query") == wanted
    assert ports.choose("query") != wanted, "one start gives no port away twice"


def test_our_own_addresses_in_the_environment_are_not_somebody_elses(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    remember_ours(folder, {"kafka": "127.0.0.1:20001"})
    monkeypatch.setenv("NOTES_KAFKA", "127.0.0.1:20001")
    monkeypatch.setenv("NOTES_MONGO", "mongodb://db.example/notes")
    assert given_servers(folder) == {"mongo": "mongodb://db.example/notes"}
    assert set(given_servers()) == {"kafka", "mongo"}


def test_docker_is_taken_only_where_an_engine_answers(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backend, "engine_answers", lambda: False)
    assert backend.choose_backend() == "native"
    with pytest.raises(RefusedError, match="no answer"):
        backend.choose_backend("docker")
    monkeypatch.setattr(backend, "engine_answers", lambda: True)
    assert backend.choose_backend() == "docker"
    monkeypatch.setenv("BACKEND", "native")
    assert backend.choose_backend() == "native"
    monkeypatch.setenv("BACKEND", "podman")
    with pytest.raises(RefusedError, match="podman"):
        backend.choose_backend()


@pytest.mark.parametrize(
    ("find", "name"), [(mongo.find_mongod, "MongoDB"), (postgres_programs.find_programs, "PostgreSQL")]
)
def test_a_server_that_is_not_there_is_named(find: Callable[[], object], name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(postgres_programs, "installed", list)
    with pytest.raises(MissingError, match=f"^{name} is missing.* Install .* or set NOTES_{name[:5].upper()}"):
        find()
