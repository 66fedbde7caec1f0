"""The projector: every build of this release fed, with what it stores in and whom it wakes; and outcomes are kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.pacing import SHARE, Patience, Yielding, gathering
from notes_chassis.kafka.subscription import Reading, Subscription
from notes_chassis.kafka.supervisor import ConsumerSupervisor
from notes_chassis.kafka.topic_state import state
from notes_contracts.times import now
from notes_query.composition.indexes import create_build_indexes
from notes_query.composition.shared import SERVED_NOTES, Shared
from notes_query.errors import NotesQueryError
from notes_query.monitoring.feed_progress import Feed
from notes_query.monitoring.lag import StoredOffsets
from notes_query.monitoring.metrics import CONSUMERS
from notes_query.projecting.enter_read_model import EnterReadModel, EntryStore
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.project_events import Isolate, ProcessRecords, ProjectEvents
from notes_query.projecting.record_outcomes import RecordOutcomes
from notes_query.projecting.stored_record import DeadLetterStore
from notes_query.projecting.waiters import COMMANDS, Waiters, level_of
from notes_query.projections.read_model import ProjectorName, note_of
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.build_feeds import BuildFeeds
from notes_query.rebuilding.builds import Build
from notes_query.repairing.missing_versions import MongoAwaitedVersions

FETCH_MAX_BYTES: Final = 4 * 1024 * 1024
BUILDING_BATCH: Final = 5
"""How many times larger a batch may be of what nobody reads yet: measured, building goes 1.6 times as fast."""
COMPLETE_SHARE: Final = 0.05
"""The part of the time that a complete build works while the notes that readers get are behind. One that is still built
has more: a release waits for it, however long the load lasts."""
PATIENCE_MS: Final[Mapping[ProjectorName, int]] = {"notes": 0, "background": 250}
OUTCOMES_PATIENCE_MS: Final = 50
AHEAD: Final = 1024 * 1024
AHEAD_OF: Final[Mapping[ProjectorName, int]] = {"notes": AHEAD, "background": AHEAD // 4}
"""Bytes fetched ahead of each partition: the background is behind as long as a load lasts, and holds them all then."""


def begin_builds(shared: Shared) -> BeginBuilds:
    """Return what begins builds of these read models."""

    async def prepare(build: Build) -> None:
        await create_build_indexes(
            shared.database, {build.collection(name): shared.read_models[name] for name in build.versions}
        )

    return BeginBuilds(shared.builds, shared.topic, shared.read_models, prepare, shared.settings.query_group, now)


def parts_of(
    shared: Shared, build: Build, dead_letters: DeadLetterStore | None = None
) -> list[FoldReadModel | EnterReadModel]:
    """Return what brings each read model of a build up to date, and gives up records to `dead_letters`."""
    return [_part(shared, name, build, dead_letters or shared.dead_letters) for name in build.versions]


def _part(shared: Shared, name: str, build: Build, dead_letters: DeadLetterStore) -> FoldReadModel | EnterReadModel:
    read_model, collection, waiters = shared.read_models[name], build.collection(name), shared.waiters[name]

    def stored(documents: Sequence[Mapping[str, Any]]) -> None:
        # Only what is served: a reader woken by another build would find nothing new, and answer too soon.
        if not shared.served.serves(name, build.number):
            return
        if name == SERVED_NOTES:
            shared.reached.add(documents)
        if waiters:
            # For a moment after a switch the build before may be further, and readers get the newer of both.
            whole = shared.served.before(name) is None
            for document in documents:
                waiters.wake(note_of(document["_id"]), level_of(document), document if whole else None)

    if read_model.entry is not None:
        return EnterReadModel(read_model.entry, EntryStore(shared.database, collection), stored)
    if read_model.evolve is None:
        raise TypeError(f"the read model {name} has neither evolve nor entry")
    store = FoldStore(shared.database, collection)
    return FoldReadModel(name, read_model.evolve, store, dead_letters, now, stored=stored)


def patience_of(at_most_ms: int, waiters: Sequence[Waiters] = ()) -> Patience:
    """Return how long records wait for more of them: so long, but hardly while somebody wants what they bring."""

    def patience(apart_s: float) -> int:
        if at_most_ms and not any(one.wanted for one in waiters):
            return at_most_ms
        return gathering(apart_s)

    return patience


class Consumption:
    """One consumer group's part in this process. While it runs, its consumer is among `shared.consumers`.

    `name` is for metrics, logs and /readyz. `process` stores a batch. `reassigned` is called when partitions have come
    or gone. `visible`: readers get what it stores. `traced`: whether each sampled message has a span
    of its own. `stored`: the read models that are brought up to date.
    """

    def __init__(
        self,
        shared: Shared,
        name: str,
        process: ProcessRecords,
        reading: Reading,
        reassigned: Callable[[], None],
        *,
        visible: Callable[[], bool] = lambda: False,
        yielding: Yielding | None = None,
        traced: Callable[[], bool] = lambda: True,
        stored: Iterable[str] = (),
    ) -> None:
        self.shared, self._group = shared, reading.group
        self._feed = Feed(name, reading.group, Isolate(process, shared.dead_letters, now), visible, now)
        self._batches = BatchConsumer(
            name,
            self._feed
            if shared.tracing is None
            else shared.tracing.each(self._feed, reading.group, "project", traced, stored),
            shared.health,
            CONSUMERS,
            expected=(NotesQueryError,),
            marks=StoredOffsets(shared.database, reading.group),
            reassigned=reassigned,
            yielding=yielding or Yielding(),
        )
        self._supervisor = ConsumerSupervisor(
            self._batches,
            lambda: Subscription(reading, self._batches),
            lambda: state(shared.cluster, reading.topic),
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


class BuildFeeding(Consumption):
    """One build, fed by a consumer group of its own: a Feeding. `yields` says whether what matters more has work."""

    def __init__(self, shared: Shared, build: Build, yields: Callable[[Build], bool]) -> None:
        self.build = build
        parts = parts_of(shared, build)
        self.folds = [part for part in parts if isinstance(part, FoldReadModel)]
        super().__init__(
            shared,
            build.projector,
            ProjectEvents(parts, shared.dead_letters, now),
            reading(
                shared,
                shared.settings.topic_events,
                build.group,
                patience_of(PATIENCE_MS[build.projector], [shared.waiters[name] for name in build.versions]),
                records=shared.settings.query_batch * (BUILDING_BATCH if build.state == "building" else 1),
                ahead=AHEAD_OF[build.projector],
            ),
            self._reassigned,
            visible=lambda: shared.served.serves(SERVED_NOTES, build.number),
            yielding=Yielding(
                lambda: yields(self.build), lambda: SHARE if self.build.state == "building" else COMPLETE_SHARE
            ),
            # What is built reads messages of years ago, whose traces have ended.
            traced=lambda: self.build.state != "building",
            stored=build.versions,
        )

    def _reassigned(self) -> None:
        for fold in self.folds:
            fold.store.forget()
        for name in self.build.versions:
            if self.shared.served.serves(name, self.build.number):
                self.shared.wakes[name].reassigned()


def reading(shared: Shared, topic: str, group: str, patience: Patience, **more: Any) -> Reading:
    """Return how a topic is read; `more` as Reading has it, where it is not as for most."""
    how = {"records": shared.settings.query_batch, "fetch_max_bytes": FETCH_MAX_BYTES, "ahead": AHEAD} | more
    session_ms = shared.settings.kafka_session_ms
    return Reading(shared.cluster, "notes-query", topic, group, session_ms=session_ms, patience=patience, **how)


def build_feeds(shared: Shared) -> BuildFeeds:
    """Return what feeds all builds."""

    def yields(build: Build) -> bool:
        """Say whether the notes that readers get have work, unless readers are about to get this build."""
        notes = feeds.serving(SERVED_NOTES)
        waits = shared.served.awaits_switch(build)
        return not (notes is None or notes.build.number == build.number or waits) and notes.has_work()

    feeds = BuildFeeds(
        begin_builds(shared),
        shared.served,
        lambda build: BuildFeeding(shared, build, yields),
        shared.health,
        shared.supervisor.keep,
    )
    return feeds


def record_outcomes(shared: Shared, dead_letters: DeadLetterStore) -> RecordOutcomes:
    """Return what keeps outcomes, and awaits the versions that they announce unless readers have them."""
    return RecordOutcomes(
        shared.outcomes,
        dead_letters,
        shared.waiters[COMMANDS],
        now,
        MongoAwaitedVersions(shared.database),
        awaited_for=timedelta(seconds=shared.settings.query_missing_after_s),
        reached=shared.reached,
    )


def feed_outcomes(shared: Shared) -> Consumption:
    """Return what feeds the outcomes of commands."""
    patience = patience_of(OUTCOMES_PATIENCE_MS, [shared.waiters[COMMANDS]])
    return Consumption(
        shared,
        "outcomes",
        record_outcomes(shared, shared.dead_letters),
        reading(shared, shared.settings.topic_outcomes, shared.settings.outcomes_group, patience),
        shared.wakes[COMMANDS].reassigned,
    )
