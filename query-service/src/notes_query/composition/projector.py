"""The projector: every generation fed, with what it stores in and whom it wakes."""

from collections.abc import Callable, Sequence

from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.supervisor import ConsumerSupervisor
from notes_query.composition.consuming import batches_of, events_projector, supervisor_of
from notes_query.composition.indexes import create_build_indexes
from notes_query.composition.shared import SERVED_CORE, Shared, now
from notes_query.monitoring.feed_progress import Feed, Feeds
from notes_query.projecting.enter_read_model import EnterShape
from notes_query.projecting.entry_store import MongoEntryStore
from notes_query.projecting.fold_read_model import FoldShape
from notes_query.projecting.fold_store import MongoFoldStore
from notes_query.projecting.ports import DeadLetterStore, level_of
from notes_query.projecting.project_events import Part, ProjectEvents
from notes_query.projecting.serving import collection_of
from notes_query.projections.shape import Folded
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.build_feeds import BuildFeeds
from notes_query.rebuilding.builds import Build

BUILDING_BATCH = 5
"""How many times larger a batch may be of what nobody reads yet: measured, building goes 1.6 times as fast."""


def begin_generations(shared: Shared) -> BeginBuilds:
    """Return what begins generations of these shapes."""
    return BeginBuilds(
        generations=shared.generations,
        topic=shared.topic,
        shapes=shared.shapes,
        prepare=lambda shapes, number: create_build_indexes(shared.database, shapes, number),
        group=shared.settings.query_group,
        clock=now,
    )


def parts_of(shared: Shared, generation: Build, letters: DeadLetterStore | None = None) -> list[FoldShape | EnterShape]:
    """Return what brings each shape of a generation up to date, and gives up records to `letters`."""
    return [_part(shared, name, generation.number, letters or shared.letters) for name in generation.shapes]


def _part(shared: Shared, name: str, number: int, letters: DeadLetterStore) -> FoldShape | EnterShape:
    shape, collection = shared.shapes[name], collection_of(name, number)
    if shape.entry is not None:
        return EnterShape(name, shape.entry, MongoEntryStore(shared.database, collection))
    if shape.evolve is None:
        raise TypeError(f"the shape {name} has neither evolve nor entry")

    def stored(documents: Sequence[Folded]) -> None:
        # Only what is served: a reader woken by another generation would find nothing new, and answer too soon.
        if name == SERVED_CORE and shared.note_waiters and shared.served.serves(name, number):
            for document in documents:
                shared.note_waiters.wake(document["_id"], level_of(document))

    store = MongoFoldStore(shared.database, collection)
    return FoldShape(name, shape.evolve, store, letters, now, stored=stored)


class BuildFeeding:
    """One generation, fed by a consumer group of its own. See Feeding."""

    def __init__(self, shared: Shared, generation: Build, progress: Feeds, behind: Callable[[], bool]) -> None:
        parts = parts_of(shared, generation, shared.letters)
        process: Sequence[Part] = parts
        self.generation = generation
        self.folds = parts
        self.project = ProjectEvents(process, shared.letters, now)
        lane = events_projector(shared, generation.lane, generation.group, self.project)
        self.batches: BatchConsumer = batches_of(shared, lane)
        self.batches.yielding.to = behind
        self._process = lane.process
        larger = BUILDING_BATCH if generation.state == "building" else 1
        records = shared.settings.query_batch * larger
        self._supervisor: ConsumerSupervisor = supervisor_of(shared, lane, self.batches, records)
        self._shared = shared
        self._progress = progress
        self._feed: Feed | None = None

    async def run(self) -> None:
        """Consume until cancelled."""
        name, number = self.batches.name, self.generation.number

        def visible() -> bool:
            return self._shared.served.serves(SERVED_CORE, number)

        with self._progress.watched(name, self.generation.group, self._process, visible) as feed:
            self._feed, self.batches.process, self._supervisor.seen = feed, feed, feed.seen
            try:
                await self._supervisor.run()
            finally:
                self._feed = None
                self._shared.health.forget(self.batches.name)

    def rename(self, name: str) -> None:
        """Be called so, in metrics, logs and /readyz."""
        if name == self.batches.name:
            return
        self._shared.health.forget(self.batches.name)
        self.batches.name = name
        if self._feed is not None:
            self._feed.rename(name)

    def awaits_switch(self, served: Build) -> bool:
        """Say whether readers are about to get it instead of `served`: it has to be as far as that one."""
        return self.generation.state == "complete" and self.generation.number > served.number

    def records_behind(self) -> int:
        """Return how many records of the partitions that are read here are not stored."""
        return 0 if self._feed is None else self._feed.tracker.behind()[0]


def generation_feeds(shared: Shared, progress: Feeds, core_changed: Callable[[], None]) -> BuildFeeds[BuildFeeding]:
    """Return what feeds all generations. `core_changed`: the partitions of the served core generation are others."""

    def feeding(generation: Build) -> BuildFeeding:
        number = generation.number

        def core_is_behind() -> bool:
            core = feeds.serving(SERVED_CORE)
            if core is None or core.generation.number == number or built.awaits_switch(core.generation):
                return False
            return core.batches.yielding.under_load or core.records_behind() > shared.settings.query_batch

        def changed() -> None:
            if shared.served.serves(SERVED_CORE, number):
                core_changed()

        built = BuildFeeding(shared, generation, progress, core_is_behind)
        built.batches.rebalance.changed = changed
        return built

    feeds = BuildFeeds(
        begin_generations(shared), shared.served, shared.shapes, feeding, shared.health, shared.supervisor.keep
    )
    return feeds
