"""What a run sends, and what it makes of the outcomes."""

import pytest

from notes_contracts import Code, Command, CreateNote, OutcomeError, RenameNote, TagNote, UntagNote, UpdateNote
from tests.markdown_import.unit.runs import Folder, told
from tests.markdown_import.unit.write_side import MemoryKafka, Version, WriteSide, write_files
from tools.markdown_import import ImportStoppedError, importer

A, B = "# A\n", "# B\n"


def counts(report: importer.Report, *kinds: str) -> list[int]:
    return [report.counts[kind] for kind in kinds]


def test_a_new_file_is_created(folder: Folder) -> None:
    write_files(folder.path, one="---\ntags: [x, y]\n---\n# First\ntext\n")
    folder.run()
    note_id = folder.note_id("one")
    assert folder.side.commands == [CreateNote(note_id=note_id, title="First", body="# First\ntext\n", tags=("x", "y"))]


def test_a_changed_file_sends_what_differs_each_with_the_version_last_seen(folder: Folder) -> None:
    write_files(folder.path, one="---\ntags: [x, y]\n---\n# First\ntext\n")
    folder.run()
    write_files(folder.path, one="---\ntags: [y, z]\n---\n# Second\n")
    report = folder.run()
    note_id = folder.note_id("one")
    assert folder.side.commands[1:] == [
        UpdateNote(note_id=note_id, body="# Second\n", expected_version=1),
        RenameNote(note_id=note_id, title="Second", expected_version=2),
        UntagNote(note_id=note_id, tag="x", expected_version=3),
        TagNote(note_id=note_id, tag="z", expected_version=4),
    ]
    assert counts(report, "commands sent", "accepted") == [4, 1]
    assert folder.side.notes[note_id].versions[-1] == Version("Second", "# Second\n", ("y", "z"))
    assert folder.run().counts["commands sent"] == 0


def test_twenty_tags_are_exchanged_for_twenty_others_in_one_run(folder: Folder) -> None:
    def tagged(letter: str) -> str:
        return f"---\ntags: [{', '.join(f'{letter}{number}' for number in range(20))}]\n---\n# {letter}\n"

    write_files(folder.path, one=tagged("a"))
    folder.run()
    write_files(folder.path, one=tagged("b"))
    assert folder.run().is_clean()
    assert folder.side.notes[folder.note_id("one")].versions[-1].tags == tuple(f"b{number}" for number in range(20))


def test_an_unchanged_folder_sends_nothing(folder: Folder) -> None:
    write_files(folder.path, one=A, two=B)
    assert counts(folder.run(), "accepted") == [2]
    assert counts(folder.run(), "commands sent", "unchanged", "accepted") == [0, 2, 0]


def test_the_note_of_a_file_that_is_gone_stays(folder: Folder) -> None:
    write_files(folder.path, one=A)
    folder.run()
    (folder.path / "one.md").unlink()
    assert folder.run().counts["commands sent"] == 0
    write_files(folder.path, one=B)
    assert folder.run().is_clean()
    assert folder.bodies("one") == [A, B, B], "the file is the same note again, updated and renamed"


def test_what_cannot_be_a_note_is_reported_and_the_rest_proceeds(folder: Folder) -> None:
    write_files(folder.path, good=A, long="x" * 100_001, nul="a\0b")
    (folder.path / "latin.md").write_bytes(b"caf\xff")
    report = folder.run()

    assert folder.bodies("good") == [A]
    assert report.counts["accepted"] == 1
    [(path, reason)] = told(report, "unreadable")
    assert path == "latin.md"
    assert "invalid start byte" in reason
    assert dict(told(report, "rejected")) == {
        "long.md": "not sent: body: String should have at most 100000 characters",
        "nul.md": "not sent: body: String should match pattern '^[^\\x00]*$'",
    }
    assert not report.is_clean()


def test_somebody_elses_change_is_a_conflict_until_forced(folder: Folder) -> None:
    write_files(folder.path, one=A)
    folder.run()
    note = folder.side.notes[folder.note_id("one")]
    note.versions.append(Version("A", "theirs"))
    write_files(folder.path, one="# A\nmore\n")
    for _ in range(2):
        [(path, reason)] = told(folder.run(), "rejected")
        assert path == "one.md"
        assert reason.startswith("version_conflict: no (somebody changed the note after version 1; --force")
        assert folder.bodies("one") == [A, "theirs"]
    assert folder.run(force=True).is_clean()
    assert folder.bodies("one") == [A, "theirs", "# A\nmore\n"]
    assert folder.run().counts["commands sent"] == 0


def test_a_note_the_state_file_does_not_know_is_left_alone_until_forced(folder: Folder) -> None:
    for number, title in enumerate("ABAB"):
        write_files(folder.path, one=f"---\ntags: {title}\n---\n# {title}\n")
        folder.state_path.unlink(missing_ok=True)
        if number:
            [(_, reason)] = told(folder.run(), "rejected")
            assert reason.startswith("note_already_exists")
        assert folder.run(force=True).is_clean()
        assert folder.run().counts["commands sent"] == 0
        present = folder.side.notes[folder.note_id("one")].versions[-1]
        assert (present.title, present.body) == (title, f"# {title}\n")
    assert present.tags == ("a", "b"), "which tags are somebody else's cannot be known, so they stay"


def test_a_rejected_file_is_tried_again_as_a_new_command(folder: Folder) -> None:
    write_files(folder.path, one="# A\n1\n")
    folder.run()
    note = folder.side.notes[folder.note_id("one")]
    note.archived = True
    write_files(folder.path, one="# A\n2\n")
    assert told(folder.run(), "rejected") == [("one.md", "note_archived: no")]
    note.archived = False
    assert folder.run().is_clean()
    assert folder.bodies("one") == ["# A\n1\n", "# A\n2\n"]


def test_a_note_that_is_not_there_any_more_is_created_again_at_once(folder: Folder) -> None:
    write_files(folder.path, one=A)
    folder.run()
    folder.side.notes.clear()
    write_files(folder.path, one=B)
    report = folder.run()
    assert counts(report, "commands sent", "accepted", "rejected") == [2, 1, 0]
    assert folder.side.notes[folder.note_id("one")].versions == [Version("B", B)]


def test_no_outcome_leaves_files_pending_and_the_next_run_asks_under_the_same_ids(folder: Folder) -> None:
    write_files(folder.path, one=A, two=B)
    report = folder.run(MemoryKafka(folder.side, silent=True), patience=0.05)
    assert told(report, "pending") == [
        ("one.md", "no outcome within 0.05 s"),
        ("two.md", "no outcome within 0.05 s"),
    ]
    assert folder.run().is_clean()
    assert len(folder.side.commands) == 4
    assert len(folder.side.outcomes) == 2


def test_when_nobody_answers_the_rest_is_sent_without_waiting(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "CHUNK", 2)
    write_files(folder.path, **{f"f{number}": A for number in range(7)})
    report = folder.run(MemoryKafka(folder.side, silent=True), patience=0.05)
    assert (*counts(report, "commands sent", "pending"), len(folder.side.notes)) == (7, 7, 7)


def test_tags_edited_after_a_kill_are_known_to_differ_from_those_that_arrived(folder: Folder) -> None:
    write_files(folder.path, one=f"---\ntags: a\n---\n{A}")
    folder.run(MemoryKafka(folder.side, silent=True), patience=0.05)
    write_files(folder.path, one=f"---\ntags: b\n---\n{A}")
    assert counts(folder.run(), "commands sent", "accepted") == [3, 1]
    assert folder.side.notes[folder.note_id("one")].versions[-1] == Version("A", A, ("b",))


def test_kafka_going_away_stops_the_run_and_loses_nothing(folder: Folder) -> None:
    write_files(folder.path, one=A)
    kafka = MemoryKafka(folder.side)
    kafka.away = True
    with pytest.raises(ImportStoppedError, match="away"):
        folder.run(kafka)
    assert folder.run().is_clean()
    assert folder.bodies("one") == [A]


def test_a_write_side_that_contradicts_itself_does_not_hold_the_run_for_ever(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contradict(side: WriteSide, command_id: str, command: Command) -> object:
        side.notes.clear()
        code = Code.NOTE_ALREADY_EXISTS if isinstance(command, CreateNote) else Code.NOTE_NOT_FOUND
        return decide(side, command_id, command).model_copy(
            update={"status": "rejected", "error": OutcomeError(code=code, message="no")}
        )

    decide = WriteSide._decide
    monkeypatch.setattr(WriteSide, "_decide", contradict)
    write_files(folder.path, one=A)
    report = folder.run(force=True)
    assert counts(report, "commands sent", "failed") == [importer.MAX_LINKS, 1]
