from notes_contracts import Code, Outcome, OutcomeError
from tools.markdown_import.report import Report

ID = "11111111-2222-4333-8444-555555555555"


def test_the_summary_names_every_file_that_needs_attention_and_why() -> None:
    report = Report(times=[0.001 * number for number in range(1, 101)])
    report.counts.update({"files found": 1234, "commands sent": 7, "accepted": 2, "files gone": 3})
    error = OutcomeError(code=Code.VERSION_CONFLICT, message="no")
    said = {"command_id": ID, "note_id": ID, "status": "rejected", "version": None, "digest": None}
    refused = Outcome(**said, error=error, at="2026-01-02T03:04:05.678Z")
    report.book_refusal("b.md", refused, 4)
    report.book("pending", "d.md", "no outcome within 60 s")
    report.book("unreadable", "e.md", "is not UTF-8")
    report.told.append(("warning", "f.md", "odd"))
    lines = report.lines()
    for line in [
        "rejected: b.md: version_conflict: no (somebody changed the note after version 4; --force overwrites it)",
        "pending: d.md: no outcome within 60 s",
        "unreadable: e.md: is not UTF-8",
        "warning: f.md: odd",
        "files found        1,234",
        "accepted               2",
        "files gone             3   their notes stay: a deleted note never comes back, so an import deletes none",
    ]:
        assert line in lines
    assert lines[-1].startswith("readable after  p50 50 ms, max 100 ms")


def test_why_times_are_missing_is_said() -> None:
    assert Report(untimed="no address").lines()[-1] == "readable after  not measured: no address"
    assert Report().lines()[-1] == "readable after  nothing new to read"


def test_a_run_is_clean_only_if_every_files_content_is_in_its_note() -> None:
    fine = Report()
    for kind in ("accepted", "unchanged", "left out", "files gone"):
        fine.book(kind, "a")
    assert fine.is_clean
    for kind in ("rejected", "failed", "pending", "unreadable"):
        report = Report()
        report.book(kind, "a", "b")
        assert not report.is_clean


def test_many_pending_files_are_not_all_named() -> None:
    report = Report()
    for number in range(25):
        report.book("pending", f"{number:02}.md", "no outcome yet")
    lines = report.lines()
    assert lines[0] == "pending: 00.md: no outcome yet"
    assert len([line for line in lines if line.startswith("pending: ")]) == 20
    assert any(line.startswith("pending               25") for line in lines)
