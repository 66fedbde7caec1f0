"""What is done with a batch of commands: decided, stored, told."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from notes_chassis.kafka.lag import Tracker
from notes_chassis.kafka.set_aside import PartitionsSetAside
from notes_chassis.kafka.watchdog import HealthSample
from notes_chassis.turns import in_turns
from notes_command.errors import Blocked
from notes_command.metrics import BUGS, DEAD_LETTERS, DUPLICATES, LAG_RECORDS, LAG_SECONDS, OUTCOMES
from notes_command.pipeline.envelope import Envelope, Result
from notes_command.pipeline.process import BatchProcessor, PartitionsBlocked

log = structlog.get_logger()

WHY: Final = "somebody else holds a lock in PostgreSQL that it needs"
DEAD_LETTERS_SHOWN: Final = 5
"""Dead letters of one transaction that get a line each; a topic full of rubbish must not fill the log as well."""


@dataclass(slots=True)
class CommandBatches:
    """Called with each batch of raw records, again with the same one if it raises.

    `decode` never raises; `stored` is called after every commit.
    """

    decode: Callable[[Any], Envelope]
    processor: BatchProcessor
    stored: Callable[[], None]
    tracker: Tracker

    async def __call__(self, records: Sequence[Any]) -> None:
        """Return once everything is stored. Raises StoreError, BadDeploy and PartitionsSetAside."""
        self.tracker.taken(records)
        blocked: Mapping[int, Blocked] = {}
        results: Sequence[Result]
        try:
            results = await self.processor.process(await in_turns(map(self.decode, records)))
        except PartitionsBlocked as error:
            blocked, results = error.blocked, error.results
        self.tracker.stored([record for record in records if record.partition not in blocked])
        self.stored()
        report(results)
        if blocked:
            raise PartitionsSetAside({number: f"{WHY}: {error}" for number, error in blocked.items()})


@dataclass(frozen=True, slots=True)
class LagGauges:
    """How far consuming is behind, in records and in seconds, after each look at the consumer."""

    topic: str
    tracker: Tracker

    def seen(self, sample: HealthSample) -> None:
        """Set the gauges."""
        self.tracker.sampled(sample)
        records, seconds = self.tracker.behind()
        LAG_RECORDS.labels(self.topic).set(records)
        LAG_SECONDS.labels(self.topic).set(seconds)


def report(results: Sequence[Result]) -> None:
    """Count what came of a batch. At `info` one line, if something was refused; at `debug` a line for each command."""
    tally: Counter[tuple[str, str]] = Counter()
    for result in results:
        tally.update((outcome.status, outcome.code or "") for outcome in result.outcomes)
        DUPLICATES.inc(result.duplicates)
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
        OUTCOMES.labels(status, code).inc(count)
    refused = {code: count for (status, code), count in tally.items() if status == "rejected"}
    if refused:
        duplicates = sum(result.duplicates for result in results)
        log.info("commands refused", decided=tally.total(), duplicates=duplicates, refused=refused)


def _report_failures(result: Result) -> None:
    for bug in result.bugs:
        BUGS.inc()
        log.error("a handler has a bug", exc_info=bug)
    for shown, dead_letter in enumerate(result.dead_letters):
        DEAD_LETTERS.labels(dead_letter.code).inc()
        if shown < DEAD_LETTERS_SHOWN:
            source = dead_letter.source
            log.warning(
                "record dead-lettered",
                id=f"{source.topic}:{source.partition}:{source.offset}",
                code=dead_letter.code,
                command_id=dead_letter.command_id,
                note_id=dead_letter.note_id,
            )
    if len(result.dead_letters) > DEAD_LETTERS_SHOWN:
        log.warning("more records dead-lettered", count=len(result.dead_letters) - DEAD_LETTERS_SHOWN)
