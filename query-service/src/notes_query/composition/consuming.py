"""Projectors: a topic, a consumer group, and what keeps the consumer alive."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.offsets import OffsetGuard
from notes_chassis.kafka.rebalance import Rebalance
from notes_chassis.kafka.subscription import REVOKE_S, Reading, Subscription
from notes_chassis.kafka.supervisor import ConsumerSupervisor
from notes_chassis.kafka.topics import state
from notes_chassis.kafka.yielding import Yielding
from notes_query.composition.shared import Shared, now
from notes_query.errors import NotesQueryError
from notes_query.monitoring.feed_progress import Feed
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
        process=Isolate(process, shared.dead_letters, now),
        patience_ms=BACKGROUND_PATIENCE_MS if name == "background" else 0,
    )


def outcomes_projector(shared: Shared, process: Process) -> Projector:
    """Return the projector that reads the topic of outcomes."""
    return Projector(
        name="outcomes",
        topic=shared.settings.topic_outcomes,
        group=shared.settings.outcomes_group,
        process=Isolate(process, shared.dead_letters, now),
        patience_ms=OUTCOMES_PATIENCE_MS,
    )


def consuming(
    shared: Shared,
    projector: Projector,
    feed: Feed,
    reassigned: Callable[[], None],
    *,
    records: int | None = None,
    yields_to: Callable[[], bool] = lambda: False,
) -> ConsumerSupervisor:
    """Return what keeps a projector consuming, told of by `feed`.

    `reassigned` is called whenever its partitions are others. `records` in a batch, at most; None: as the settings say.
    `yields_to`: whether a consumer that matters more has work.
    """
    settings, guard = shared.settings, OffsetGuard()
    batches = BatchConsumer(
        projector.name,
        feed,
        guard,
        Rebalance(guard, REVOKE_S, reassigned),
        shared.health,
        CONSUMERS,
        expected=(NotesQueryError,),
        yielding=Yielding(yields_to),
    )
    reading = Reading(
        settings.kafka,
        "notes-query",
        projector.topic,
        projector.group,
        records or settings.query_batch,
        settings.kafka_session_ms,
        projector.patience_ms,
        FETCH_MAX_BYTES,
    )
    return ConsumerSupervisor(
        batches, lambda: Subscription(reading, batches), lambda: state(settings.kafka, projector.topic), feed.seen
    )
