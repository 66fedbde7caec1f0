"""Lanes: a topic, a consumer group, and what keeps the consumer alive."""

from notes_query.adapters.kafka.topics import missing
from notes_query.application.isolate import Isolate, Process
from notes_query.composition.shared import Shared, now
from notes_query.entrypoints.consumer.consumer import BatchConsumer
from notes_query.entrypoints.consumer.offsets import OffsetGuard
from notes_query.entrypoints.consumer.rebalance import Rebalance
from notes_query.entrypoints.consumer.subscriber import REVOKE_S, Lane, Limits, Subscription
from notes_query.entrypoints.consumer.supervisor import ConsumerSupervisor

SIDE_PATIENCE_MS = 250
OUTCOMES_PATIENCE_MS = 50


def events_lane(shared: Shared, name: str, group: str, process: Process) -> Lane:
    """Return a lane that reads the topic of events."""
    return Lane(
        name=name,
        topic=shared.settings.topic_events,
        group=group,
        process=Isolate(process, shared.letters, now),
        patience_ms=SIDE_PATIENCE_MS if name == "side" else 0,
    )


def outcomes_lane(shared: Shared, process: Process) -> Lane:
    """Return the lane that reads the topic of outcomes."""
    return Lane(
        name="outcomes",
        topic=shared.settings.topic_outcomes,
        group=shared.settings.outcomes_group,
        process=Isolate(process, shared.letters, now),
        patience_ms=OUTCOMES_PATIENCE_MS,
    )


def batches_of(shared: Shared, lane: Lane) -> BatchConsumer:
    """Return what is handed the batches of a lane."""
    guard = OffsetGuard()
    return BatchConsumer(lane.name, lane.process, guard, Rebalance(guard, at_most_s=REVOKE_S), shared.health)


def subscription_of(shared: Shared, lane: Lane, batches: BatchConsumer, records: int | None = None) -> Subscription:
    """Return a consumer of a lane, for one life. `records` in a batch, at most; null: as the settings say."""
    settings = shared.settings
    limits = Limits(records or settings.query_batch, settings.kafka_session_ms)
    return Subscription(settings.kafka, lane, batches, limits)


def supervisor_of(shared: Shared, lane: Lane, batches: BatchConsumer, records: int | None = None) -> ConsumerSupervisor:
    """Return what keeps a lane consuming. `records` as above."""
    return ConsumerSupervisor(
        lane=lane.name,
        subscription=lambda: subscription_of(shared, lane, batches, records),
        missing=lambda: missing(shared.settings.kafka, [lane.topic]),
        health=shared.health,
    )
