"""What is done with a batch of commands: decided, stored, told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from notes_chassis.kafka.lag import Tracker
from notes_chassis.kafka.set_aside import PartitionsSetAside
from notes_chassis.kafka.watchdog import HealthSample
from notes_chassis.turns import map_in_turns
from notes_command.errors import Blocked
from notes_command.metrics import LAG_RECORDS, LAG_SECONDS
from notes_command.pipeline.envelope import Incoming
from notes_command.pipeline.process import PartitionsBlocked
from notes_command.pipeline.report import report
from notes_command.pipeline.result import Result

WHY: Final = "somebody else holds a lock in PostgreSQL that it needs"


class Processor(Protocol):
    """Stores what a batch comes to. Raises StoreError, of which PartitionsBlocked, and BadDeploy."""

    async def process(self, batch: Sequence[Incoming]) -> list[Result]:
        """Return once everything is stored."""


@dataclass(slots=True)
class CommandBatches:
    """Called with each batch of raw records, again with the same one if it raises.

    `decode` never raises; `stored` is called after every commit.
    """

    decode: Callable[[Any], Incoming]
    processor: Processor
    stored: Callable[[], None]
    tracker: Tracker

    async def __call__(self, records: Sequence[Any]) -> None:
        """Return once everything is stored. Raises StoreError, BadDeploy and PartitionsSetAside."""
        self.tracker.taken(records)
        blocked: Mapping[int, Blocked] = {}
        results: Sequence[Result]
        try:
            results = await self.processor.process(await map_in_turns(self.decode, records))
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
