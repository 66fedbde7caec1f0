"""The command with the words that a person types: every way it can end before anything is sent."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.programs import Ended, ended

COMMAND = Path(__file__).resolve().parents[2] / "tools" / "import_markdown"


def run(*arguments: str | Path, kafka: str | None = None, **more: str) -> Ended:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NOTES_")} | more
    environment |= {"NOTES_KAFKA": kafka} if kafka else {}
    return ended(str(COMMAND), *map(str, arguments), environment=environment)


@pytest.fixture
def nobody() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "a.md").write_text("# A\n")
    return tmp_path


@pytest.mark.parametrize("python", [sys.executable, Path(sys.base_prefix) / "bin" / "python3"])
def test_any_python_may_start_it(python: str | Path) -> None:
    done = subprocess.run([python, COMMAND, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage: tools/import_markdown" in done.stdout
    assert "Exit codes:" in done.stdout


def test_without_an_environment_it_names_make_install(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    copy = tmp_path / "tools" / "import_markdown"
    copy.write_bytes(COMMAND.read_bytes())
    done = subprocess.run([sys.executable, copy, "."], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "run `make install`" in done.stderr


def test_settings_of_kafka_that_cannot_be_used_are_one_sentence(notes: Path, nobody: str) -> None:
    done = run(notes, kafka=nobody, NOTES_KAFKA_SECURITY_PROTOCOL="bogus")
    assert (done.code, done.out) == (2, "")
    assert "cannot be spoken to: NOTES_KAFKA_SECURITY_PROTOCOL: Input should be" in done.err
    assert done.err.count("\n") == 1


def test_kafka_away_is_one_sentence(notes: Path, nobody: str) -> None:
    done = run(notes, kafka=nobody)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"import_markdown: Kafka at {nobody} cannot be reached")
    assert done.err.count("\n") == 1
    assert [path.name for path in notes.iterdir()] == ["a.md"]


@pytest.mark.parametrize("address", ["host:port", "::", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_one_sentence(notes: Path, address: str) -> None:
    done = run(notes, kafka=address)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert address in done.err


def test_a_folder_that_is_none_is_one_sentence(notes: Path, nobody: str) -> None:
    done = run(notes / "a.md", kafka=nobody)
    assert (done.code, done.err) == (2, f"import_markdown: {notes / 'a.md'} is not a folder.\n")


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "soon"])
def test_a_timeout_that_is_none_is_refused(notes: Path, nobody: str, seconds: str) -> None:
    done = run(notes, f"--timeout={seconds}", kafka=nobody)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert seconds in done.err
