from tools.markdown_import.report import Report, lines_of


def test_the_summary_names_every_file_that_needs_attention_and_why() -> None:
    report = Report(
        found=1234,
        sent=7,
        unchanged=1,
        accepted=2,
        rejected=[("b.md", "invalid: no")],
        failed=[("c.md", "internal: no")],
        pending=["d.md"],
        unreadable=[("e.md", "is not UTF-8")],
        warnings=[("f.md", "odd")],
        unsent=[("g.md", "title")],
        gone=3,
        times=[0.001 * number for number in range(1, 101)],
        patience=60,
    )
    lines = lines_of(report)
    for line in [
        "rejected: b.md: invalid: no",
        "failed: c.md: internal: no",
        "pending: d.md: no outcome within 60 s",
        "unreadable: e.md: is not UTF-8",
        "warning: f.md: odd",
        "not sent: g.md: title",
        "files found        1,234",
        "accepted               2",
    ]:
        assert line in lines
    assert lines[-1].startswith("readable after  p50 50 ms, p99 99 ms, max 100 ms")
    assert not report.is_clean


def test_why_times_are_missing_is_said() -> None:
    assert lines_of(Report(not_measured="no address"))[-1] == "readable after  not measured: no address"
    assert lines_of(Report(times=[0.5]))[-1].startswith("readable after  p50 500 ms, p99 500 ms, max 500 ms")


def test_a_run_is_clean_only_if_every_files_content_is_in_its_note() -> None:
    assert Report(warnings=[("a", "b")], unsent=[("a", "b")], gone=1).is_clean
    for report in (
        Report(rejected=[("a", "b")]),
        Report(failed=[("a", "b")]),
        Report(pending=["a"]),
        Report(unreadable=[("a", "b")]),
    ):
        assert not report.is_clean


def test_many_pending_files_are_not_all_named_and_after_an_interruption_nobody_waited_for_them() -> None:
    lines = lines_of(Report(pending=[f"{number:02}.md" for number in range(25)], cut_short=True))
    assert lines[0] == "pending: 00.md: no outcome yet"
    assert lines[20] == "pending: 5 more"
