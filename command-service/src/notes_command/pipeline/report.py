"""What came of a batch, for /metrics and the log. No line holds anything of a note: ids, codes and counts alone."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import structlog

from notes_command import metrics
from notes_command.pipeline.result import Result

log = structlog.get_logger()

LETTERS_SHOWN: Final = 5
"""Dead letters of one transaction that get a line each; a topic full of rubbish must not fill the log as well."""


def report(results: Sequence[Result]) -> None:
    """Count what came of a batch. At `info` one line, if something was refused; at `debug` a line for each command."""
    tally: Counter[tuple[str, str]] = Counter()
    for result in results:
        tally.update((outcome.status, outcome.code or "") for outcome in result.outcomes)
        metrics.DUPLICATES.inc(result.duplicates)
        _report_failures(result)
        for outcome in result.outcomes:
            log.debug(
                "command decided",
                command_id=outcome.command_id,
                note_id=outcome.note_id,
                status=outcome.status,
                code=outcome.code,
                version=outcome.version,
            )
    for (status, code), count in tally.items():
        metrics.OUTCOMES.labels(status, code).inc(count)
    refused = {code: count for (status, code), count in tally.items() if status == "rejected"}
    if refused:
        duplicates = sum(result.duplicates for result in results)
        log.info("commands refused", decided=tally.total(), duplicates=duplicates, refused=refused)


def _report_failures(result: Result) -> None:
    for bug in result.bugs:
        metrics.BUGS.inc()
        log.error("a handler has a bug", exc_info=bug)
    for shown, letter in enumerate(result.dead_letters):
        metrics.DEAD_LETTERS.labels(letter.code).inc()
        if shown < LETTERS_SHOWN:
            source = letter.source
            log.warning(
                "record dead-lettered",
                id=f"{source.topic}:{source.partition}:{source.offset}",
                code=letter.code,
                command_id=letter.command_id,
                note_id=letter.note_id,
            )
    if len(result.dead_letters) > LETTERS_SHOWN:
        log.warning("more records dead-lettered", count=len(result.dead_letters) - LETTERS_SHOWN)
