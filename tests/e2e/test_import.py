"""A folder of Markdown goes in through Kafka and is read back over HTTP, to the last field."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from notes_contracts import parse_time
from tests.e2e.pair import Pair
from tests.harness.programs import Ended, ended, start
from tools.markdown_import.files import namespace_of, note_id_of

COMMAND = str(Path(__file__).resolve().parents[2] / "tools" / "import_markdown")
NAMESPACE = "end to end"
READABLE_WITHIN_S = 45


@dataclass(frozen=True)
class Note:
    """A file, and what must come out of it."""

    path: str
    text: str
    title: str
    body: str
    tags: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return note_id_of(namespace_of(NAMESPACE, Path()), self.path)


NOTES = [
    Note("readme.md", "# Read me\n\nfirst  words\n", "Read me", "# Read me\n\nfirst  words\n"),
    Note("a/b/c d.md", "no heading", "c d", "no heading"),
    Note("ünï/ß😀.md", "Größe 📏\n===\n\u2028x", "Größe 📏", "Größe 📏\n===\n\u2028x"),
    Note("tagged.md", "---\ntags: [b, A]\n---\n## Two\r\n", "Two", "## Two\r\n", ("b", "a")),
    Note("empty.md", "", "empty", ""),
    Note("full.md", "😀" * 100_000, "full", "😀" * 100_000),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    for note in NOTES:
        file = folder / note.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(note.text.encode())
    return folder


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=15, trust_env=False) as client:
        yield client


def environment_of(pair: Pair) -> dict[str, str]:
    return {**os.environ, **pair.environment}


def run(pair: Pair, folder: Path, *arguments: str) -> Ended:
    return ended(COMMAND, str(folder), "--namespace", NAMESPACE, *arguments, environment=environment_of(pair))


def read(http: httpx.Client, pair: Pair, note_id: str, version: int) -> Any:
    """Return what a reader gets once the note shows that version."""
    deadline = monotonic() + READABLE_WITHIN_S
    while True:
        answer = http.get(f"{pair.query.url}/notes/{note_id}", params={"min_version": version, "wait": 10})
        if answer.headers.get("consistency") == "current" or monotonic() > deadline:
            assert (answer.status_code, answer.headers["consistency"]) == (200, "current"), answer.text
            return answer.json()


def test_a_folder_is_read_back_field_by_field(pair: Pair, folder: Path, http: httpx.Client) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    done = run(pair, folder)
    assert done.code == 0, done.out + done.err
    assert "accepted               6" in done.out
    assert "ms from publishing" in done.out

    for note in NOTES:
        view = read(http, pair, note.id, 1)
        created_at = view.pop("created_at")
        assert before <= parse_time(created_at) <= datetime.now(UTC)
        assert view == {
            "id": note.id,
            "title": note.title,
            "preview": note.body[:100],
            "word_count": len(note.body.split()),
            "tags": list(note.tags),
            "author": None,
            "status": "active",
            "version": 1,
            "updated_at": created_at,
        }
        stored = http.get(f"{pair.command.url}/notes/{note.id}").json()
        shown = {key: value for key, value in view.items() if key not in ("preview", "word_count")}
        assert stored == {**shown, "created_at": created_at, "body": note.body}

    listed = http.get(f"{pair.query.url}/notes", params={"limit": 200}).json()
    assert {(item["id"], item["title"], tuple(item["tags"]), item["version"]) for item in listed["items"]} == {
        (note.id, note.title, note.tags, 1) for note in NOTES
    }


def test_content_a_b_a_b_arrives_each_time_and_unchanged_files_are_left_alone(
    pair: Pair, folder: Path, http: httpx.Client
) -> None:
    note = NOTES[0]
    for version, text in enumerate(["A", "B", "A", "B"], start=1):
        (folder / note.path).write_text(text)
        done = run(pair, folder)
        assert done.code == 0, done.out + done.err
        view = read(http, pair, note.id, version)
        assert (view["preview"], view["version"]) == (text, version)
    assert "commands sent          0" in run(pair, folder).out
    assert read(http, pair, NOTES[1].id, 1)["version"] == 1


def test_without_the_write_side_files_are_pending_and_arrive_once_when_it_is_back(
    pair: Pair, folder: Path, http: httpx.Client
) -> None:
    pair.command.terminate()
    done = run(pair, folder, "--timeout", "1")
    assert done.code == 1
    assert done.out.count(": no outcome within 1 s") == len(NOTES)
    pair.command.start()
    for note in NOTES:
        read(http, pair, note.id, 1)
    done = run(pair, folder)
    assert done.code == 0, done.out + done.err
    for note in NOTES:
        assert read(http, pair, note.id, 1)["version"] == 1


def test_an_import_that_is_killed_and_repeated_has_one_effect(pair: Pair, tmp_path: Path, http: httpx.Client) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(700):
        (folder / f"{number}.md").write_text(f"# {number}\n")
    state_file = folder / ".notes-import.json"
    importing = start(COMMAND, str(folder), "--namespace", NAMESPACE, environment=environment_of(pair))
    try:
        deadline = monotonic() + 60
        while not _has_an_outcome(state_file):
            assert monotonic() < deadline
            assert importing.poll() is None
            sleep(0.01)
    finally:
        importing.kill()
    assert importing.wait(30) == -signal.SIGKILL

    done = run(pair, folder)
    assert done.code == 0, done.out + done.err
    state = json.loads((folder / ".notes-import.json").read_text())["notes"]
    assert len(state) == 700
    for path, entry in state.items():
        assert entry["version"] == 1
        assert "pending_id" not in entry
        assert read(http, pair, note_id_of(namespace_of(NAMESPACE, Path()), path), 1)["version"] == 1


def _has_an_outcome(state_file: Path) -> bool:
    if not state_file.exists():
        return False
    return any("version" in entry for entry in json.loads(state_file.read_text())["notes"].values())
