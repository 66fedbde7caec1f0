"""The projector: every build of this release fed, with what it stores in and whom it wakes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from notes_chassis.kafka.pacing import SHARE
from notes_query.composition.consuming import AHEAD, Consumption, patience_of
from notes_query.composition.indexes import create_build_indexes
from notes_query.composition.shared import SERVED_NOTES, Shared, now
from notes_query.projecting.enter_read_model import EnterReadModel, EntryStore
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.record_outcomes import RecordOutcomes
from notes_query.projecting.stored_record import DeadLetterStore
from notes_query.projecting.waiters import COMMANDS, level_of
from notes_query.projections.read_model import ProjectorName
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.build_feeds import BuildFeeds
from notes_query.rebuilding.builds import Build
from notes_query.repairing.missing_versions import MongoAwaitedVersions

BUILDING_BATCH: Final = 5
"""How many times larger a batch may be of what nobody reads yet: measured, building goes 1.6 times as fast."""
COMPLETE_SHARE: Final = 0.05
"""The part of the time that a complete build works while the notes that readers get are behind. One that is still built
has more: a release waits for it, however long the load lasts."""
PATIENCE_MS: Final[Mapping[ProjectorName, int]] = {"notes": 0, "background": 250}
OUTCOMES_PATIENCE_MS: Final = 50
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
                waiters.wake(document["_id"], level_of(document), document if whole else None)

    if read_model.entry is not None:
        return EnterReadModel(name, read_model.entry, EntryStore(shared.database, collection), stored)
    if read_model.evolve is None:
        raise TypeError(f"the read model {name} has neither evolve nor entry")
    store = FoldStore(shared.database, collection)
    return FoldReadModel(name, read_model.evolve, store, dead_letters, now, stored=stored)


class BuildFeeding(Consumption):
    """One build, fed by a consumer group of its own: a Feeding."""

    def __init__(self, shared: Shared, build: Build, yields_to: Callable[["BuildFeeding"], bool]) -> None:
        self.build = build
        self.folds = parts_of(shared, build)
        super().__init__(
            shared,
            name=build.projector,
            topic=shared.settings.topic_events,
            group=build.group,
            process=ProjectEvents(self.folds, shared.dead_letters, now),
            reassigned=self._reassigned,
            records=shared.settings.query_batch * (BUILDING_BATCH if build.state == "building" else 1),
            patience=patience_of(PATIENCE_MS[build.projector], [shared.waiters[name] for name in build.versions]),
            ahead=AHEAD_OF[build.projector],
            visible=lambda: shared.served.serves(SERVED_NOTES, build.number),
            yields=lambda: yields_to(self),
            share=lambda: SHARE if self.build.state == "building" else COMPLETE_SHARE,
        )

    def _reassigned(self) -> None:
        for fold in self.folds:
            fold.store.forget()
            if self.shared.served.serves(fold.name, self.build.number):
                self.shared.wakes[fold.name].reassigned()


def build_feeds(shared: Shared) -> BuildFeeds:
    """Return what feeds all builds."""

    def yields_to(feeding: BuildFeeding) -> bool:
        """Say whether the notes that readers get have work, unless readers are about to get this build."""
        notes = feeds.serving(SERVED_NOTES)
        return not (notes is None or notes is feeding or awaits_switch(feeding.build)) and notes.has_work()

    def awaits_switch(build: Build) -> bool:
        """Say whether it is to be as far as an older build that is served."""
        served = [shared.served.builds[name] for name in build.versions if name in shared.served.builds]
        return build.state == "complete" and any(build.number > one.number for one in served)

    def feeding(build: Build) -> BuildFeeding:
        return BuildFeeding(shared, build, yields_to)

    feeds = BuildFeeds(begin_builds(shared), shared.served, feeding, shared.health, shared.supervisor.keep)
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
        reached=shared.reached.holds,
    )


def feed_outcomes(shared: Shared) -> Consumption:
    """Return what feeds the outcomes of commands."""
    return Consumption(
        shared,
        name="outcomes",
        topic=shared.settings.topic_outcomes,
        group=shared.settings.outcomes_group,
        process=record_outcomes(shared, shared.dead_letters),
        reassigned=shared.wakes[COMMANDS].reassigned,
        patience=patience_of(OUTCOMES_PATIENCE_MS, [shared.waiters[COMMANDS]]),
    )
