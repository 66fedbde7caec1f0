"""From a batch of raw records to what came of it: decode, process, count and tell."""

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from notes_chassis.dead_letters import Position
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
"""Dead letters of one transaction that get a line each; a topic full of rubbish must not fill the log as well."""


@dataclass(slots=True)
class CommandBatches:
    """Called with each batch of raw records, again with the same one if it raises.

    `stored` is told what every batch has come to, once that is stored; of one that fails, what is stored of it.
    `clock_is_right` raises until what is decided may be stored with this machine's time. `tracing` makes spans.
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
            report_taken(records)
        await self.clock_is_right()
        batch = await in_turns(map(decode, records))
        decisions = None if spans is None else Decisions(spans, batch)
        blocked: Mapping[int, Blocked] = {}
        try:
            await self.processor.process(batch)
        except PartitionsBlocked as error:
            blocked = error.blocked
        finally:  # a retry finds what is stored by now as repeats, and says nothing of it
            results, self.processor.results = self.processor.results, []
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
            raise PartitionsSetAside({number: f"{why}: {error}" for number, error in blocked.items()})


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
        place = str(Position(*one.source[:3]))
        log.warning("record dead-lettered", id=place, code=one.code, command_id=one.command_id, note_id=one.note_id)
    if len(result.dead_letters) > DEAD_LETTERS_SHOWN:
        log.warning("more records dead-lettered", count=len(result.dead_letters) - DEAD_LETTERS_SHOWN)
