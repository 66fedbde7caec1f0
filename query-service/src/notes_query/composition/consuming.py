"""A topic read by a consumer group, and what keeps the consumer alive."""

from collections.abc import Callable, Sequence
from typing import Final

from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.offsets import OffsetGuard
from notes_chassis.kafka.pacing import SHARE, Patience, Yielding, gathering, impatient
from notes_chassis.kafka.partitions import Rebalance
from notes_chassis.kafka.subscription import REVOKE_S, Reading, Subscription
from notes_chassis.kafka.supervisor import ConsumerSupervisor
from notes_chassis.kafka.topic_state import state
from notes_query.composition.shared import Shared, now
from notes_query.errors import NotesQueryError
from notes_query.monitoring.feed_progress import Feed
from notes_query.monitoring.metrics import CONSUMERS
from notes_query.projecting.project_events import Isolate, Process
from notes_query.projecting.waiters import Waiters

FETCH_MAX_BYTES: Final = 4 * 1024 * 1024
AHEAD: Final = 1024 * 1024
"""Bytes that are fetched ahead of each partition."""


def patience_of(at_most_ms: int, waiters: Sequence[Waiters] = ()) -> Patience:
    """Return how long records wait for more of them: so long, but hardly while somebody wants what they bring."""

    def patience(apart_s: float) -> int:
        if at_most_ms and not any(one.wanted for one in waiters):
            return at_most_ms
        return gathering(apart_s)

    return patience


def _never() -> bool:
    return False


class Consumption:
    """One consumer group's part in this process. While it runs, its consumer is among `shared.consumers`.

    `name` is for metrics, logs and /readyz. `process` stores a batch. `records` in a batch, at most. `patience` and
    `ahead` as in Reading. `visible`: readers get what it stores. `yields` says whether a consumer that matters more has
    work, and `share` the part of the time that this one works meanwhile.
    `reassigned` is called when partitions have come or gone.
    """

    def __init__(
        self,
        shared: Shared,
        *,
        name: str,
        topic: str,
        group: str,
        process: Process,
        reassigned: Callable[[], None],
        records: int | None = None,
        patience: Patience = impatient,
        ahead: int = AHEAD,
        visible: Callable[[], bool] = _never,
        yields: Callable[[], bool] = _never,
        share: Callable[[], float] = lambda: SHARE,
    ) -> None:
        settings, guard = shared.settings, OffsetGuard()
        self.shared, self._group = shared, group
        self._feed = Feed(name, group, Isolate(process, shared.dead_letters, now), visible, now)
        self._batches = BatchConsumer(
            name,
            self._feed,
            guard,
            Rebalance(guard, at_most_s=REVOKE_S, changed=reassigned),
            shared.health,
            CONSUMERS,
            expected=(NotesQueryError,),
            yielding=Yielding(yields, share),
        )
        reading = Reading(
            shared.cluster,
            "notes-query",
            topic,
            group,
            records or settings.query_batch,
            settings.kafka_session_ms,
            patience,
            FETCH_MAX_BYTES,
            ahead,
        )
        self._supervisor = ConsumerSupervisor(
            self._batches,
            lambda: Subscription(reading, self._batches),
            lambda: state(shared.cluster, topic),
            seen=self._feed.seen,
        )

    async def run(self) -> None:
        """Consume until cancelled."""
        with self.shared.feeds.watching(self._feed):
            self.shared.consumers[self._group] = self._batches
            try:
                await self._supervisor.run()
            finally:
                del self.shared.consumers[self._group]
                self.shared.health.forget(self._batches.name)

    def rename(self, name: str) -> None:
        """Be called so, in metrics, logs and /readyz."""
        if name != self._batches.name:
            self.shared.health.forget(self._batches.name)
            self._batches.name = name
            self._feed.rename(name)

    def has_work(self) -> bool:
        """Say whether what matters less should wait for it."""
        behind, _ = self._feed.tracker.behind()
        return self._batches.yielding.under_load or behind > self.shared.settings.query_batch
