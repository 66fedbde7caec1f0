"""What became of the files, counted and told."""

from dataclasses import dataclass, field

SHOWN = 20
"""Pending files, and things left out, that are named: of more, the number says enough."""


@dataclass(slots=True)
class Report:
    """The result of a run; the lists hold (path, reason).

    `sent` counts commands, all other numbers files. `left_out`: folders and links. `unsent`: titles and tags that
    no command can change yet. `times`: seconds from publishing until a reader got the note; `not_measured` says why
    there are none. `began`: Kafka was reached. `cut_short`: the run did not come to its end. `patience`: seconds that
    were waited for outcomes.
    """

    began: bool = False
    cut_short: bool = False
    found: int = 0
    sent: int = 0
    unchanged: int = 0
    accepted: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    unsent: list[tuple[str, str]] = field(default_factory=list)
    gone: int = 0
    times: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    not_measured: str | None = None
    patience: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Tell whether every file's content is in its note."""
        return not (self.rejected or self.failed or self.pending or self.unreadable)


def lines_of(report: Report) -> list[str]:
    """Return the summary, a line each: what needs attention first, the numbers last."""
    return [
        *_some("left out", report.left_out),
        *_listed("warning", report.warnings),
        *_listed("not sent", report.unsent),
        *_listed("unreadable", report.unreadable),
        *_listed("rejected", report.rejected),
        *_listed("failed", report.failed),
        *_some("pending", [(path, _no_outcome(report)) for path in report.pending]),
        *_numbers(report),
        _readable(report),
    ]


def _listed(name: str, items: list[tuple[str, str]]) -> list[str]:
    return [f"{name}: {path}: {reason}" for path, reason in sorted(items)]


def _some(name: str, items: list[tuple[str, str]]) -> list[str]:
    more = len(items) - SHOWN
    return _listed(name, items[:SHOWN]) + ([f"{name}: {more:,} more"] if more > 0 else [])


def _no_outcome(report: Report) -> str:
    return "no outcome yet" if report.cut_short else f"no outcome within {report.patience:g} s"


def _numbers(report: Report) -> list[str]:
    rows = [
        ("files found", report.found, ""),
        ("unchanged", report.unchanged, ""),
        ("commands sent", report.sent, ""),
        ("accepted", report.accepted, ""),
        ("rejected", len(report.rejected), ""),
        ("failed", len(report.failed), ""),
        ("unreadable", len(report.unreadable), ""),
        ("left out", len(report.left_out), ""),
        (
            "pending",
            len(report.pending),
            "run the import again: it asks for the same outcomes, nothing happens twice",
        ),
        ("files gone", report.gone, "their notes stay until there is a command to delete them"),
    ]
    always = {"files found", "commands sent", "unchanged", "accepted", "rejected"}
    return [
        f"{name:<15}{count:>9,}" + (f"   {hint}" if hint else "")
        for name, count, hint in rows
        if count or name in always
    ]


def _readable(report: Report) -> str:
    name = f"{'readable after':<15}"
    parts = []
    if report.times:
        times = sorted(report.times)
        parts.append(
            f"p50 {_ms(times, 0.5)}, p99 {_ms(times, 0.99)}, max {_ms(times, 1)} from publishing to a reader's "
            f"answer ({len(times):,} of {report.accepted:,} notes timed)"
        )
    if report.late:
        parts.append(f"{len(report.late):,} not readable within {report.patience:g} s, such as {report.late[0]}")
    if report.not_measured:
        parts.append(f"not measured: {report.not_measured}")
    return f"{name} {'; '.join(parts) or 'nothing new to read'}"


def _ms(times: list[float], share: float) -> str:
    """Return the nearest-rank percentile in milliseconds."""
    rank = max(0, -int(-len(times) * share // 1) - 1)
    return f"{times[rank] * 1000:,.0f} ms"
