import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tools.markdown_import.entry import Attempt, Entry, Pending
from tools.markdown_import.errors import ImportStoppedError
from tools.markdown_import.state_file import StateFile

NAMESPACE = UUID("0b1f5a4e-4c63-4c57-9c5e-1d2c3b4a5f60")
ID = "11111111-2222-4333-8444-555555555555"
FULL = Entry(
    command_id=ID,
    content_hash="ab",
    version=3,
    title="Ünï \u2028 “title”",
    tags=("a", "b"),
    exists=True,
    pending=Pending(ID, "update", {"digest": Attempt("cd"), "other": Attempt("ef", "t", ())}),
)


def opened(path: Path, namespace: UUID | None = NAMESPACE) -> StateFile:
    return StateFile(path / "state.json", namespace, NAMESPACE)


def crash(state: StateFile) -> None:
    state._journal.close(remove=False)


def test_entries_survive_a_run_and_a_crash_alike(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.record({"a.md": FULL, "b.md": Entry(version=1)})
        lineage = state.head.lineage
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.json"]
    state = opened(tmp_path)
    state.record({"b.md": Entry(version=2)})
    crash(state)
    with opened(tmp_path) as state:
        assert state.entries == {"a.md": FULL, "b.md": Entry(version=2)}
        assert state.head.lineage == lineage


def test_the_file_is_json_with_what_a_person_looks_for(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.bind("cluster")
        state.record({"a.md": FULL})
    found = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    assert (found["format"], found["namespace"], found["target"]) == (1, str(NAMESPACE), "cluster")
    assert found["notes"]["a.md"]["command_id"] == ID
    assert found["notes"]["a.md"]["version"] == 3
    assert found["notes"]["a.md"]["content_hash"] == "ab"


def test_a_line_cut_short_is_dropped_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.record({"a.md": FULL})
    state._journal._file.write(b'["b.md", {"ver')
    crash(state)
    state = opened(tmp_path)
    state.record({"c.md": Entry(version=1)})
    crash(state)
    with opened(tmp_path) as state:
        assert state.entries == {"a.md": FULL, "c.md": Entry(version=1)}


def test_folding_leaves_nothing_to_replay(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.record({"a.md": FULL})
        state.fold()
        assert (tmp_path / "state.json.journal").stat().st_size == 0
        state.record({"a.md": Entry()})
    with opened(tmp_path) as state:
        assert state.entries == {"a.md": Entry()}


def test_a_run_that_changed_nothing_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_runs_on_one_file_are_kept_apart(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(ImportStoppedError, match="Another import"):
        opened(tmp_path)
    with opened(tmp_path):
        pass


def test_a_namespace_holds_for_ever(tmp_path: Path) -> None:
    other = uuid4()
    with opened(tmp_path, other) as state:
        state.record({"a.md": Entry()})
    with opened(tmp_path, None) as state:
        assert state.head.namespace == other
    with pytest.raises(ImportStoppedError, match=f"is of the namespace {other}"):
        opened(tmp_path)


def test_notes_sent_elsewhere_are_not_taken_for_sent(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.bind("one")
        state.record({"a.md": Entry()})
    with opened(tmp_path) as state, pytest.raises(ImportStoppedError, match="another system"):
        state.bind("two")


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"format": 9}', '{"format": 1, "namespace": "x"}'])
def test_another_file_is_not_taken_for_ours_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    with pytest.raises(ImportStoppedError, match="is no state file"):
        opened(tmp_path)
    assert file.read_text() == text


def test_a_place_that_cannot_be_written_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(ImportStoppedError, match="cannot be written"):
        StateFile(tmp_path / "missing" / "state.json", NAMESPACE, NAMESPACE)
