"""A run that is killed leaves nothing that looks finished."""

import os
import shlex
import subprocess
from contextlib import redirect_stderr
from hashlib import sha256
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from tools.markdown_import.command import find_addresses
from tools.stack import folder, kafka_jars
from tools.stack.__main__ import main as command_line
from tools.stack.errors import StackError, StartError
from tools.stack.folder import build_once
from tools.stack.postgres import within_reach
from tools.stack.state import FURTHER, VARIABLES, State, save_state, shell_lines, shown

ADDRESSES = {
    "kafka": "127.0.0.1:20001",
    "postgres": "postgresql://notes:notes@127.0.0.1:20002/notes",
    "mongo": "mongodb://127.0.0.1:20003/notes?replicaSet=rs0",
    "command": "http://127.0.0.1:8081",
    "query": "http://127.0.0.1:8080",
    "web": "http://127.0.0.1:8082",
    "command_ops": "http://127.0.0.1:9081",
    "query_ops": "http://127.0.0.1:9080",
    "auth": "oidc",
    "issuer": "http://127.0.0.1:20004",
    "kafka_protocol": "SASL_PLAINTEXT",
    "kafka_mechanism": "SCRAM-SHA-512",
    "kafka_username": "upstream",
    "kafka_password": "0123abcd",
}


def test_a_folder_has_its_name_only_when_complete(tmp_path: Path):
    def fail(new: Path) -> None:
        (new / "half").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "data", fail)
    assert not (tmp_path / "data").exists()
    build_once(tmp_path / "data", lambda new: (new / "whole").touch())
    build_once(tmp_path / "data", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["whole"]


def test_an_address_that_was_given_reaches_a_shell_as_it_is(tmp_path: Path):
    given = {
        "kafka": "one:9092,two:9092",
        "postgres": "postgresql://notes:a$HOME'`id`@db/notes?sslmode=require&application_name=a b",
        "mongo": "mongodb://db/notes?replicaSet=rs0&tls=true",
    }
    text = shell_lines(given)
    assert "NOTES_KAFKA=one:9092,two:9092\n" in text, "as it always was, where no quote is needed"
    (tmp_path / "env").write_text(text)
    (tmp_path / "stack").mkdir()
    script = '. ./env\nprintf "%s\\n" "$NOTES_KAFKA" "$NOTES_POSTGRES" "$NOTES_MONGO"'
    shell = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shell.stdout.splitlines() == list(given.values())
    found = find_addresses({}, tmp_path / "env")
    assert [found[VARIABLES[name]] for name in given] == list(given.values())


def test_addresses_with_passwords_are_for_their_owner_alone(tmp_path: Path):
    made = folder.Folder(tmp_path)
    save_state(
        made, State("native", {"postgres": "postgresql://notes:secret@db/notes", "command": "http://127.0.0.1:8081"})
    )
    assert {made.env_file.stat().st_mode & 0o777, made.state_file.stat().st_mode & 0o777} == {0o600}


@pytest.mark.parametrize("command", ["down", "up", "status", "logs"])
def test_a_file_that_a_crash_left_empty_is_named(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "state.json").touch()
    assert f"{tmp_path}/state.json is not JSON" in failure_of(monkeypatch, command, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    assert "Not a directory" in failure_of(monkeypatch, "down", tmp_path / "file" / "stack")


def failure_of(monkeypatch: pytest.MonkeyPatch, command: str, state: Path) -> str:
    monkeypatch.setattr("sys.argv", ["tools.stack", command, "--state", str(state)])
    monkeypatch.setattr("tools.stack.__main__.logging", Mock())  # else this process is deaf to aiokafka's warnings
    with pytest.raises(SystemExit) as end, redirect_stderr(StringIO()) as said:
        command_line()
    assert end.value.code == 1
    return said.getvalue()


def test_the_env_file_is_read_alike_by_a_shell_and_by_splitting(tmp_path: Path):
    text = shell_lines(ADDRESSES)
    (tmp_path / "env").write_text(text)
    (tmp_path / "mongodb:").mkdir()  # something for a careless shell to expand into
    names = list((VARIABLES | FURTHER).values())
    script = ". ./env\n" + "".join(f'echo "${name}"\n' for name in names)
    shell = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    split = dict(line.split("=", 1) for line in shlex.split(text))
    assert shell.stdout.splitlines() == [split[name] for name in names] == list(ADDRESSES.values())


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://notes:s3cr3t@db/notes", "postgresql://notes:…@db/notes"),
        ("mongodb://me:x@db:1,db:2/notes?replicaSet=rs0", "mongodb://me:…@db:1,db:2/notes?replicaSet=rs0"),
        ("postgresql://notes:secret@" + "one@db/notes", "postgresql://notes:…@db/notes"),
        ("postgresql://db/notes?password=s3cr3t&sslmode=require", "postgresql://db/notes?password=…&sslmode=require"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, expected: str):
    assert shown(address) == expected


def test_the_lines_that_are_shown_hold_no_password():
    text = shown(shell_lines(ADDRESSES))
    assert "NOTES_POSTGRES=postgresql://notes:…@127.0.0.1:20002/notes\n" in text
    assert text.endswith("NOTES_KAFKA_USERNAME=upstream\nNOTES_KAFKA_PASSWORD=…\n")


def test_a_failure_shows_the_end_of_the_log(tmp_path: Path):
    log = tmp_path / "kafka.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    text = str(StartError("Kafka did not start: the process has ended", log))
    assert text.startswith("Kafka did not start: the process has ended.\n")
    assert "line 99" in text
    assert "line 80" not in text
    assert str(log) in text


def serve_jars(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    def context(repo_cache: Path, **_: object) -> SimpleNamespace:
        def resolve() -> Path:
            repo_cache.mkdir(exist_ok=True)
            (repo_cache / "a.jar").write_bytes(content)
            return repo_cache / "a.jar"

        artifact = SimpleNamespace(resolve=resolve)
        component = SimpleNamespace(artifact=lambda: artifact)
        return SimpleNamespace(project=lambda *_: SimpleNamespace(at_version=lambda _: component))

    monkeypatch.setattr("jgo.maven.MavenContext", context)


def test_a_jar_that_is_not_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    jar = kafka_jars.Jar("group", "a", "1", sha256(b"right").hexdigest())
    serve_jars(monkeypatch, b"wrong")
    with pytest.raises(StackError, match=r"a-1\.jar"):
        kafka_jars.fetch([jar], tmp_path)
    assert list(tmp_path.iterdir()) == []
    serve_jars(monkeypatch, b"right")
    kafka_jars.fetch([jar], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a-1.jar"]


def test_every_pinned_jar_has_a_hash():
    jars = kafka_jars.pinned()
    assert {"kafka_2.13", "slf4j-simple"} <= {jar.artifact for jar in jars}
    assert all(len(jar.sha256) == 64 for jar in jars)


def test_a_closed_folder_on_the_way_is_noticed(tmp_path: Path):
    root = Path("/").stat().st_mode & 0o001
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not within_reach(closed / "file")
    assert within_reach(Path("/tmp/file")) == bool(root)


def test_a_shared_folder_of_somebody_else_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "target").mkdir()
    monkeypatch.setattr(folder, "LASTING", tmp_path)
    (tmp_path / f"notes-stack-{os.getuid()}").symlink_to(tmp_path / "target")
    with pytest.raises(StackError, match="belongs to"):
        folder.open_folder()
