"""Takes a batch of raw records: decode it, process it, count and report the results."""

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from notes_chassis.kafka.lag import Tracker
from notes_chassis.kafka.partitions import PartitionsSetAside
from notes_chassis.process import in_turns, logged
from notes_command.errors import Blocked
from notes_command.metrics import BUGS, DEAD_LETTERS, DUPLICATES, OUTCOMES, TAKEN
from notes_command.pipeline.decide import Result
from notes_command.pipeline.decode import decode
from notes_command.pipeline.process import BatchProcessor, PartitionsBlocked
from notes_command.pipeline.traces import Decisions

if TYPE_CHECKING:
    from notes_chassis.tracing.batches import Batch
    from notes_chassis.tracing.spans import Tracing

log = structlog.get_logger()

DEAD_LETTERS_SHOWN: Final = 5
"""Dead letters of a transaction that get a line of their own, so that a topic full of rubbish does not fill the log."""


@dataclass(slots=True)
class CommandBatches:
    """Called with each batch of raw records, and again with the same batch if it raises.

    `stored` gets the results of every batch once they are stored; if a batch fails, those that are stored.
    `clock_is_right` raises while this machine's clock is wrong. `tracing` makes spans.
    """

    processor: BatchProcessor
    stored: Callable[[Sequence[Result]], None]
    tracker: Tracker
    clock_is_right: Callable[[], Awaitable[None]]
    tracing: "Tracing | None" = None

    async def __call__(self, records: Sequence[Any]) -> None:
        """Return once everything is stored. Raises StoreError, BadDeploy and PartitionsSetAside."""
        if self.tracing is None:
            await self._process(records, None)
        else:
            with self.tracing.batch(records[0].topic, self.tracker.group, len(records)) as spans:
                await self._process(records, spans)

    async def _process(self, records: Sequence[Any], spans: "Batch | None") -> None:
        self.tracker.taken(records)
        with logged("how long a batch was on its way could not be told"):
            observe_age(records)
        await self.clock_is_right()
        batch = await in_turns(map(decode, records))
        decisions = None if spans is None else Decisions(spans, batch)
        blocked: Mapping[int, Blocked] = {}
        try:
            await self.processor.process(batch)
        except PartitionsBlocked as error:
            blocked = error.blocked
        finally:  # what is stored by now counts as repeats in a retry, which does not report it again
            results = self.processor.results
            self.processor.results = []
            if results:
                with logged("what is stored could not be told"):
                    self.stored(results)
                    report(results)
        self.tracker.stored([record for record in records if record.partition not in blocked])
        if decisions is not None:
            with logged("the spans of a batch that is stored could not be ended"):
                decisions.end(results)
        if blocked:
            why = "another session holds a lock in PostgreSQL that it needs"
            raise PartitionsSetAside({partition: f"{why}: {error}" for partition, error in blocked.items()})


def observe_age(records: Sequence[Any]) -> None:
    """Measure how long the oldest record of a batch was on its way. A timestamp is in milliseconds; -1 is none."""
    timestamps = [getattr(record, "timestamp", None) for record in records]
    written = [timestamp for timestamp in timestamps if timestamp is not None and timestamp >= 0]
    if written:
        TAKEN.observe(max(0.0, time.time() - min(written) / 1000))


def report(results: Sequence[Result]) -> None:
    """Count and log the results of a batch: at `info` one line if a command was refused, at `debug` one a command."""
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
    for dead_letter in result.dead_letters:
        DEAD_LETTERS.labels(dead_letter.code).inc()
    for dead_letter in result.dead_letters[:DEAD_LETTERS_SHOWN]:
        log.warning(
            "record dead-lettered",
            id=str(dead_letter.source.position),
            code=dead_letter.code,
            command_id=dead_letter.command_id,
            note_id=dead_letter.note_id,
        )
    if len(result.dead_letters) > DEAD_LETTERS_SHOWN:
        log.warning("more records dead-lettered", count=len(result.dead_letters) - DEAD_LETTERS_SHOWN)
