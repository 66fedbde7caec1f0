import json
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tools.markdown_import import ImportStoppedError
from tools.markdown_import.chain import Content, Entry, State, opened_state

NAMESPACE = UUID("0b1f5a4e-4c63-4c57-9c5e-1d2c3b4a5f60")
ID = "11111111-2222-4333-8444-555555555555"
FULL = Entry(
    content_hash="ab",
    title="Ünï \u2028 “title”",
    tags=("a", "b"),
    command_id=ID,
    version=3,
    exists=True,
    pending_id=ID,
    attempts={"digest": Content("cd"), "other": Content("ef", "t", ())},
)


def opened(path: Path, namespace: UUID | None = None, target: str = "system") -> AbstractContextManager[State]:
    return opened_state(path / "state.json", namespace or NAMESPACE, target, asked=bool(namespace))


def test_entries_come_back_as_they_were_saved(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.notes.update({"a.md": FULL, "b.md": Entry(version=1)})
        state.save()
        lineage = state.lineage
    with opened(tmp_path) as state:
        assert state.notes == {"a.md": FULL, "b.md": Entry(version=1)}
        assert (state.namespace, state.lineage) == (NAMESPACE, lineage)


def test_the_file_is_json_with_what_a_person_looks_for(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.notes["a.md"] = FULL
        state.save()
    found = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    assert (found["format"], found["namespace"], found["target"]) == (1, str(NAMESPACE), "system")
    entry = found["notes"]["a.md"]
    assert (entry["command_id"], entry["version"], entry["content_hash"]) == (ID, 3, "ab")


def test_a_file_of_the_release_before_is_read(tmp_path: Path) -> None:
    notes = {"a.md": {"command_id": ID, "content_hash": "ab", "version": 3, "pending": {"kind": "create"}}}
    found = {"format": 1, "namespace": str(NAMESPACE), "lineage": ID, "target": "system", "notes": notes}
    (tmp_path / "state.json").write_text(json.dumps(found))
    with opened(tmp_path) as state:
        assert state.notes == {"a.md": Entry("ab", command_id=ID, version=3)}


def test_two_runs_on_one_file_are_kept_apart(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(ImportStoppedError, match="Another import"), opened(tmp_path):
        pass
    with opened(tmp_path):
        pass


def test_a_namespace_holds_for_ever(tmp_path: Path) -> None:
    other = uuid4()
    with opened(tmp_path, other) as state:
        state.save()
    with opened(tmp_path) as state:
        assert state.namespace == other
    with pytest.raises(ImportStoppedError, match=f"is of namespace {other}"), opened(tmp_path, NAMESPACE):
        pass


def test_notes_sent_elsewhere_are_not_taken_for_sent(tmp_path: Path) -> None:
    with opened(tmp_path, target="one") as state:
        state.save()
    with pytest.raises(ImportStoppedError, match="is about one, not two"), opened(tmp_path, target="two"):
        pass


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"format": 9}', '{"format": 1, "namespace": "x"}'])
def test_another_file_is_not_taken_for_ours_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    with pytest.raises(ImportStoppedError, match="is no state file"), opened(tmp_path):
        pass
    assert file.read_text() == text
