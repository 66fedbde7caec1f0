"""Projectors: a topic, a consumer group, and what keeps the consumer alive."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.offsets import OffsetGuard
from notes_chassis.kafka.rebalance import Rebalance
from notes_chassis.kafka.subscription import REVOKE_S, Reading, Subscription
from notes_chassis.kafka.supervisor import ConsumerSupervisor
from notes_chassis.kafka.topics import state
from notes_query.composition.shared import Shared, now
from notes_query.errors import NotesQueryError
from notes_query.monitoring.metrics import CONSUMERS
from notes_query.projecting.fold_batch import Counts
from notes_query.projecting.project_events import Isolate, Process
from notes_query.projections.recorded_event import Record

BACKGROUND_PATIENCE_MS = 250
OUTCOMES_PATIENCE_MS = 50
FETCH_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Projector:
    """A topic, the group that reads it, and what is done with a batch of it. `patience_ms` as in Reading."""

    name: str
    topic: str
    group: str
    process: Callable[[Sequence[Record]], Awaitable[Counts]]
    patience_ms: int = 0


def events_projector(shared: Shared, name: str, group: str, process: Process) -> Projector:
    """Return a projector that reads the topic of events."""
    return Projector(
        name=name,
        topic=shared.settings.topic_events,
        group=group,
        process=Isolate(process, shared.letters, now),
        patience_ms=BACKGROUND_PATIENCE_MS if name == "background" else 0,
    )


def outcomes_projector(shared: Shared, process: Process) -> Projector:
    """Return the projector that reads the topic of outcomes."""
    return Projector(
        name="outcomes",
        topic=shared.settings.topic_outcomes,
        group=shared.settings.outcomes_group,
        process=Isolate(process, shared.letters, now),
        patience_ms=OUTCOMES_PATIENCE_MS,
    )


def batches_of(shared: Shared, projector: Projector) -> BatchConsumer:
    """Return what is handed the batches of a projector."""
    guard = OffsetGuard()
    return BatchConsumer(
        projector.name,
        projector.process,
        guard,
        Rebalance(guard, at_most_s=REVOKE_S),
        shared.health,
        CONSUMERS,
        expected=(NotesQueryError,),
    )


def reading_of(shared: Shared, projector: Projector, records: int | None = None) -> Reading:
    """Return how a projector is read. `records` in a batch, at most; None: as the settings say."""
    settings = shared.settings
    return Reading(
        settings.kafka,
        "notes-query",
        projector.topic,
        projector.group,
        records or settings.query_batch,
        settings.kafka_session_ms,
        projector.patience_ms,
        FETCH_MAX_BYTES,
    )


def supervisor_of(
    shared: Shared, projector: Projector, batches: BatchConsumer, records: int | None = None
) -> ConsumerSupervisor:
    """Return what keeps a projector consuming. `records` as above."""
    return ConsumerSupervisor(
        batches,
        lambda: Subscription(reading_of(shared, projector, records), batches),
        lambda: state(shared.settings.kafka, projector.topic),
    )
