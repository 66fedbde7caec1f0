"""The projector: every build fed, with what it stores in and whom it wakes."""

from collections.abc import Callable, Sequence

from notes_query.composition.consuming import consuming, events_projector
from notes_query.composition.indexes import create_build_indexes
from notes_query.composition.shared import SERVED_NOTES, Shared, now
from notes_query.monitoring.feed_progress import Feeds
from notes_query.projecting.enter_read_model import EnterReadModel, EntryStore
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.serving import collection_of
from notes_query.projecting.stored_record import DeadLetterStore
from notes_query.projecting.waiters import level_of
from notes_query.projections.read_model import Folded
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.build_feeds import BuildFeeds
from notes_query.rebuilding.builds import Build

BUILDING_BATCH = 5
"""How many times larger a batch may be of what nobody reads yet: measured, building goes 1.6 times as fast."""


def begin_builds(shared: Shared) -> BeginBuilds:
    """Return what begins builds of these read models."""
    return BeginBuilds(
        builds=shared.builds,
        topic=shared.topic,
        read_models=shared.read_models,
        prepare=lambda read_models, number: create_build_indexes(shared.database, read_models, number),
        group=shared.settings.query_group,
        clock=now,
    )


def parts_of(
    shared: Shared, build: Build, dead_letters: DeadLetterStore | None = None
) -> list[FoldReadModel | EnterReadModel]:
    """Return what brings each read model of a build up to date, and gives up records to `dead_letters`."""
    return [_part(shared, name, build.number, dead_letters or shared.dead_letters) for name in build.read_models]


def _part(shared: Shared, name: str, number: int, dead_letters: DeadLetterStore) -> FoldReadModel | EnterReadModel:
    read_model, collection = shared.read_models[name], collection_of(name, number)
    if read_model.entry is not None:
        return EnterReadModel(name, read_model.entry, EntryStore(shared.database, collection))
    if read_model.evolve is None:
        raise TypeError(f"the read model {name} has neither evolve nor entry")

    def stored(documents: Sequence[Folded]) -> None:
        # Only what is served: a reader woken by another build would find nothing new, and answer too soon.
        if name == SERVED_NOTES and shared.note_waiters and shared.served.serves(name, number):
            for document in documents:
                shared.note_waiters.wake(document["_id"], level_of(document))

    store = FoldStore(shared.database, collection)
    return FoldReadModel(name, read_model.evolve, store, dead_letters, now, stored=stored)


class BuildFeeding:
    """One build, fed by a consumer group of its own. See Feeding."""

    def __init__(
        self,
        shared: Shared,
        build: Build,
        progress: Feeds,
        behind: Callable[[], bool],
        reassigned: Callable[[], None],
    ) -> None:
        self.build = build
        self.folds = parts_of(shared, build, shared.dead_letters)
        self.project = ProjectEvents(self.folds, shared.dead_letters, now)
        projector = events_projector(shared, build.projector, build.group, self.project)

        def visible() -> bool:
            return shared.served.serves(SERVED_NOTES, build.number)

        self._feed = progress.feed(projector.name, projector.group, projector.process, visible)
        larger = BUILDING_BATCH if build.state == "building" else 1
        records = shared.settings.query_batch * larger
        self._supervisor = consuming(shared, projector, self._feed, reassigned, records=records, yields_to=behind)
        self.batches = self._supervisor.batches
        self._shared = shared
        self._progress = progress

    async def run(self) -> None:
        """Consume until cancelled."""
        with self._progress.watched(self._feed):
            try:
                await self._supervisor.run()
            finally:
                self._shared.health.forget(self.batches.name)

    def rename(self, name: str) -> None:
        """Be called so, in metrics, logs and /readyz."""
        if name == self.batches.name:
            return
        self._shared.health.forget(self.batches.name)
        self.batches.name = name
        self._feed.rename(name)

    def awaits_switch(self, served: Build) -> bool:
        """Say whether readers are about to get it instead of `served`: it has to be as far as that one."""
        return self.build.state == "complete" and self.build.number > served.number

    def records_behind(self) -> int:
        """Return how many records of the partitions that are read here are not stored."""
        return self._feed.tracker.behind()[0]


def build_feeds(shared: Shared, progress: Feeds, notes_changed: Callable[[], None]) -> BuildFeeds[BuildFeeding]:
    """Return what feeds all builds. `notes_changed`: the partitions of the served build of notes are others."""

    def feeding(build: Build) -> BuildFeeding:
        number = build.number

        def notes_are_behind() -> bool:
            notes = feeds.serving(SERVED_NOTES)
            if notes is None or notes.build.number == number or built.awaits_switch(notes.build):
                return False
            return notes.batches.yielding.under_load or notes.records_behind() > shared.settings.query_batch

        def changed() -> None:
            if shared.served.serves(SERVED_NOTES, number):
                notes_changed()

        built = BuildFeeding(shared, build, progress, notes_are_behind, changed)
        return built

    feeds = BuildFeeds(
        begin_builds(shared), shared.served, shared.read_models, feeding, shared.health, shared.supervisor.keep
    )
    return feeds
