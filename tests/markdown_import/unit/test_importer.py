"""What a run sends, and what it makes of the outcomes."""

import pytest

from notes_contracts import Code, CreateNote, OutcomeError, UpdateNote
from tests.markdown_import.unit.runs import Folder
from tests.markdown_import.unit.write_side import MemoryBus, WriteSide, write_files
from tools.markdown_import import importer
from tools.markdown_import.errors import ImportStoppedError

A, B = "# A\n", "# B\n"


def test_a_new_file_is_created_and_a_changed_one_updated_with_the_version_last_seen(folder: Folder) -> None:
    write_files(folder.path, one="---\ntags: [x, y]\n---\n# First\ntext\n")
    folder.run()
    write_files(folder.path, one="# First\nmore\n")
    folder.run()

    created, updated = folder.side.commands
    note_id = folder.note_id("one")
    assert created == CreateNote(note_id=note_id, title="First", body="# First\ntext\n", tags=("x", "y"))
    assert updated == UpdateNote(note_id=note_id, body="# First\nmore\n", expected_version=1)


def test_an_unchanged_folder_sends_nothing(folder: Folder) -> None:
    write_files(folder.path, one=A, two=B)
    assert folder.run().accepted == 2
    report = folder.run()
    assert (report.sent, report.unchanged, report.accepted) == (0, 2, 0)


def test_what_cannot_be_a_note_is_reported_and_the_rest_proceeds(folder: Folder) -> None:
    write_files(folder.path, good=A, long="x" * 100_001, nul="a\0b")
    (folder.path / "latin.md").write_bytes(b"caf\xff")
    report = folder.run()

    assert folder.bodies("good") == [A]
    assert report.accepted == 1
    assert report.unreadable == [("latin.md", "is not UTF-8: invalid start byte at byte 3")]
    assert dict(report.rejected) == {
        "long.md": "not sent: body should have at most 100000 characters",
        "nul.md": "not sent: body holds a NUL character",
    }
    assert not report.is_clean


def test_new_title_and_tags_are_reported_as_not_sent_for_as_long_as_they_differ(folder: Folder) -> None:
    write_files(folder.path, one="---\ntags: a\n---\n# Old\n")
    folder.run()
    write_files(folder.path, one="---\ntags: b\n---\n# New\n")
    told = [("one.md", "title 'Old' is now 'New'; tags [a] are now [b] (until there are commands for it)")]
    assert folder.run().unsent == told
    assert folder.run().unsent == told


def test_somebody_elses_change_is_a_conflict_until_forced(folder: Folder) -> None:
    write_files(folder.path, one=A)
    folder.run()
    folder.bodies("one").append("theirs")
    write_files(folder.path, one=B)
    for _ in range(2):
        report = folder.run()
        [(path, reason)] = report.rejected
        assert path == "one.md"
        assert reason.startswith("version_conflict: no (somebody changed the note after version 1; --force")
        assert folder.bodies("one") == [A, "theirs"]
    assert folder.run(force=True).is_clean
    assert folder.bodies("one") == [A, "theirs", B]
    assert folder.run().sent == 0


def test_a_note_the_state_file_does_not_know_is_left_alone_until_forced(folder: Folder) -> None:
    for number, content in enumerate([A, B, A, B]):
        write_files(folder.path, one=content)
        folder.state_path.unlink(missing_ok=True)
        if number:
            [(_, reason)] = folder.run().rejected
            assert reason.startswith("note_already_exists")
        assert folder.run(force=True).is_clean
        assert folder.run().sent == 0
    assert folder.bodies("one") == [A, B, A, B]


def test_a_rejected_file_is_tried_again_as_a_new_command(folder: Folder) -> None:
    write_files(folder.path, one=A)
    folder.run()
    note = folder.side.notes[folder.note_id("one")]
    note.archived = True
    write_files(folder.path, one=B)
    assert folder.run().rejected == [("one.md", "note_archived: no")]
    note.archived = False
    assert folder.run().is_clean
    assert folder.bodies("one") == [A, B]


def test_a_note_that_is_not_there_any_more_is_created_again_at_once(folder: Folder) -> None:
    write_files(folder.path, one=A)
    folder.run()
    folder.side.notes.clear()
    write_files(folder.path, one=B)
    report = folder.run()
    assert (report.sent, report.accepted, report.rejected) == (2, 1, [])
    assert folder.side.notes[folder.note_id("one")].title == "B"


def test_no_outcome_leaves_files_pending_and_the_next_run_asks_under_the_same_ids(folder: Folder) -> None:
    write_files(folder.path, one=A, two=B)
    report = folder.run(MemoryBus(folder.side, silent=True), patience=0.05)
    assert report.pending == ["one.md", "two.md"]
    assert folder.run().is_clean
    assert len(folder.side.commands) == 4
    assert len(folder.side.outcomes) == 2


def test_when_nobody_answers_the_rest_is_sent_without_waiting(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "LIMIT", 2)
    write_files(folder.path, **{f"f{number}": A for number in range(7)})
    report = folder.run(MemoryBus(folder.side, silent=True), patience=0.05)
    assert (report.sent, len(report.pending), len(folder.side.notes)) == (7, 7, 7)


def test_tags_edited_after_a_kill_are_known_to_differ_from_those_that_arrived(folder: Folder) -> None:
    write_files(folder.path, one=f"---\ntags: a\n---\n{A}")
    folder.run(MemoryBus(folder.side, silent=True), patience=0.05)
    write_files(folder.path, one=f"---\ntags: b\n---\n{A}")
    report = folder.run()
    assert (report.sent, report.accepted) == (1, 1)
    assert report.unsent == [("one.md", "tags [a] are now [b] (until there are commands for it)")]


def test_kafka_going_away_stops_the_run_and_loses_nothing(folder: Folder) -> None:
    write_files(folder.path, one=A)
    bus = MemoryBus(folder.side)
    bus.away = True
    with pytest.raises(ImportStoppedError, match="away"):
        folder.run(bus)
    assert folder.run().is_clean
    assert folder.bodies("one") == [A]


def test_a_write_side_that_contradicts_itself_does_not_hold_the_run_for_ever(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contradict(side: WriteSide, command_id: str, command: CreateNote | UpdateNote) -> object:
        side.notes.clear()
        code = Code.NOTE_ALREADY_EXISTS if isinstance(command, CreateNote) else Code.NOTE_NOT_FOUND
        return decide(side, command_id, command).model_copy(
            update={"status": "rejected", "error": OutcomeError(code=code, message="no")}
        )

    decide = WriteSide._decide
    monkeypatch.setattr(WriteSide, "_decide", contradict)
    write_files(folder.path, one=A)
    report = folder.run(force=True)
    assert report.sent == importer.MAX_LINKS
    assert len(report.rejected) == 1
