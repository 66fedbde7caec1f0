"""What came of a batch, counted and told."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import structlog

from notes_command.metrics import BUGS, DEAD_LETTERS, DUPLICATES, OUTCOMES, TAKEN
from notes_command.pipeline.decide import Result

log = structlog.get_logger()

DEAD_LETTERS_SHOWN: Final = 5
"""Dead letters of one transaction that get a line each; a topic full of rubbish must not fill the log as well."""


def report_taken(records: Sequence[Any]) -> None:
    """Tell how long the oldest record of a batch was on its way."""
    if written := [at for record in records if (at := getattr(record, "timestamp", None)) is not None and at >= 0]:
        TAKEN.observe(max(0.0, time.time() - min(written) / 1000))


def report(results: Sequence[Result]) -> None:
    """Count what came of a batch. At `info` one line, if something was refused; at `debug` a line for each command."""
    tally: Counter[tuple[str, str]] = Counter()
    detailed = log.is_enabled_for(logging.DEBUG)
    for result in results:
        DUPLICATES.inc(result.duplicates)
        for bug in result.bugs:
            BUGS.inc()
            log.error("a handler has a bug", exc_info=bug)
        _report_dead_letters(result)
        tally.update([(outcome.status, outcome.code or "") for outcome in result.outcomes])
        for outcome in result.outcomes if detailed else ():
            log.debug(
                "command decided",
                command_id=outcome.command_id,
                note_id=outcome.note_id,
                status=outcome.status,
                code=outcome.code,
                version=outcome.version,
            )
    for (status, code), count in tally.items():
        OUTCOMES.labels(status, code).inc(count)
    refused = {code: count for (status, code), count in tally.items() if status == "rejected"}
    if refused:
        duplicates = sum(result.duplicates for result in results)
        log.info("commands refused", decided=tally.total(), duplicates=duplicates, refused=refused)


def _report_dead_letters(result: Result) -> None:
    for one in result.dead_letters:
        DEAD_LETTERS.labels(one.code).inc()
    for one in result.dead_letters[:DEAD_LETTERS_SHOWN]:
        place = ":".join(map(str, one.source[:3]))
        log.warning("record dead-lettered", id=place, code=one.code, command_id=one.command_id, note_id=one.note_id)
    if len(result.dead_letters) > DEAD_LETTERS_SHOWN:
        log.warning("more records dead-lettered", count=len(result.dead_letters) - DEAD_LETTERS_SHOWN)
