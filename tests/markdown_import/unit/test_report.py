from tools.markdown_import.importer import Report


def test_the_summary_names_every_file_that_needs_attention_and_why() -> None:
    report = Report(readable="50 ms")
    report.counts.update({"files found": 1234, "commands sent": 7, "accepted": 2, "files gone": 3})
    report.book("pending", "d.md", "no outcome within 60 s")
    report.book("unreadable", "e.md", "is not UTF-8")
    report.told.append(("warning", "f.md", "odd"))
    lines = report.lines()
    for line in [
        "pending: d.md: no outcome within 60 s",
        "unreadable: e.md: is not UTF-8",
        "warning: f.md: odd",
        "files found        1,234",
        "accepted               2",
        "files gone             3   their notes stay: a deleted note never comes back, so an import deletes none",
        "readable after  50 ms",
    ]:
        assert line in lines


def test_a_run_is_clean_only_if_every_files_content_is_in_its_note() -> None:
    fine = Report()
    for kind in ("accepted", "unchanged", "left out", "files gone"):
        fine.book(kind, "a")
    assert fine.is_clean()
    for kind in ("rejected", "failed", "pending", "unreadable"):
        report = Report()
        report.book(kind, "a", "b")
        assert not report.is_clean()


def test_many_pending_files_are_not_all_named() -> None:
    report = Report()
    for number in range(25):
        report.book("pending", f"{number:02}.md", "no outcome yet")
    lines = report.lines()
    assert lines[0] == "pending: 00.md: no outcome yet"
    assert len([line for line in lines if line.startswith("pending: ")]) == 20
    assert any(line.startswith("pending               25") for line in lines)
