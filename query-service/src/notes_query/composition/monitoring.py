"""What looks after the projections: progress and lag, versions that do not come, gaps, dead letters."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
import structlog

from notes_chassis.access.authentication import Authentication
from notes_chassis.dead_letters import STATES
from notes_chassis.process import Step
from notes_contracts.topics import PARTITIONS
from notes_query.composition.shared import SERVED_NOTES
from notes_query.http.scopes import ADMIN
from notes_query.mongo.database import Database
from notes_query.monitoring import metrics
from notes_query.monitoring.feed_progress import Feeds
from notes_query.monitoring.lag import Freshness, PartitionCount, ProgressStore, look_together
from notes_query.monitoring.periodic import Periodic
from notes_query.projecting.record_outcomes import OutcomeStore, RecordOutcomes
from notes_query.projecting.serving import Serving
from notes_query.projecting.stored_record import DeadLetterStore
from notes_query.projecting.waiters import Waiters
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.repairing.ask_republish import AskRepublish, Republisher, RepublishRequests
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.repairing.gaps import Gaps
from notes_query.repairing.missing_versions import AwaitVersions, MissingVersions, MongoAwaitedVersions, NoteLevels
from notes_query.settings import Settings

log = structlog.get_logger()

BACKGROUND_MODEL: Final = "search"
"""Whose build stands for its projector, where a projector's read models are served from several."""
LOOK_S: Final = 1.0
MISSING_S: Final = 2.0
"""Seconds between looks for versions that do not come, which are missed after half a minute."""
FIGURES_S: Final = 5.0
PARTITIONS_S: Final = 30.0
ASK_S: Final = 3.0
REPUBLISH_S: Final = 5.0
"""Seconds that command-service has to answer."""


@dataclass(frozen=True, slots=True)
class Monitoring:
    """One a process. `feeds`: whoever feeds a group is watched there. `notes`, `background`: the lag that is told."""

    settings: Settings
    database: Database
    serving: Serving
    clock: Callable[[], datetime]
    feeds: Feeds
    notes: Freshness
    background: Freshness
    partitions: PartitionCount

    def record_outcomes(
        self,
        outcomes: OutcomeStore,
        dead_letters: DeadLetterStore,
        waiters: Waiters,
        reached: Callable[[str, int], bool],
    ) -> RecordOutcomes:
        """Return what keeps outcomes, and awaits the versions that they announce, unless they are `reached`."""
        return RecordOutcomes(
            outcomes,
            dead_letters,
            waiters,
            self.clock,
            MongoAwaitedVersions(self.database),
            awaited_for=timedelta(seconds=self.settings.query_missing_after_s),
            reached=reached,
        )

    def projecting(
        self, command_service: httpx.AsyncClient | None, access: Authentication | None
    ) -> Mapping[str, Step]:
        """Return the tasks of a process that projects; without `command_service` no snapshots are asked for."""
        missing, dead_letters = MissingVersions(self.database), DeadLetters(self.database)
        await_versions = AwaitVersions(
            MongoAwaitedVersions(self.database),
            missing,
            NoteLevels(self.database, self.serving),
            self.notes.through,
            self.clock,
        )

        async def figures() -> None:
            metrics.MISSING_VERSIONS.set(await missing.count())
            counted = await dead_letters.by_state()
            for state in STATES:
                metrics.DEAD_LETTERS_KEPT.labels(state).set(counted.get(state, 0))

        tasks = {
            "progress": self.feeds.run,
            "missing versions": Periodic("missing versions", await_versions, MISSING_S).run,
            "figures": Periodic("figures", figures, FIGURES_S).run,
        }
        if command_service is None or not self.settings.query_ask_republish:
            return tasks
        credentials, client_id = None, self.settings.query_client_id
        if access is not None and client_id is not None:
            credentials = access.as_client(client_id, self.settings.query_client_secret, ADMIN)
        if access is not None and credentials is None:
            log.warning("no snapshots are asked for: there is nobody to ask as", setting="NOTES_QUERY_CLIENT_ID")
        else:
            ask = AskRepublish(
                Gaps(self.database, self.serving),
                RepublishRequests(self.database),
                Republisher(command_service, REPUBLISH_S, credentials),
                self.clock,
                lambda answer: metrics.REPUBLISH.labels(answer).inc(),
            )
            tasks["snapshots asked for"] = Periodic("snapshots asked for", ask, ASK_S).run
        return tasks

    def everywhere(self) -> Mapping[str, Step]:
        """Return the tasks of any process."""
        return {
            "freshness": Periodic("freshness", self._look, LOOK_S).run,
            "partitions": Periodic("partitions", self.partitions.look, PARTITIONS_S).run,
        }

    async def _look(self) -> None:
        """Look how fresh the documents are. What is known is shown, also when a look fails."""
        projectors = {"notes": self.notes, "background": self.background}
        try:
            await look_together(projectors.values(), self.feeds.store)
        finally:
            for projector, freshness in projectors.items():
                seconds = freshness.seconds()
                metrics.PROJECTION_LAG.labels(projector).set(math.nan if seconds is None else seconds)


def make_monitoring(
    settings: Settings,
    database: Database,
    served: ActiveBuilds,
    beginnings: Callable[[], Awaitable[dict[int, int]]],
    clock: Callable[[], datetime],
) -> Monitoring:
    """Return it; nothing is connected yet."""
    progress = ProgressStore(database)
    partitions = PartitionCount(beginnings, PARTITIONS)
    notes = Freshness(_group_of(served, SERVED_NOTES), lambda: partitions.count, clock)
    background = Freshness(_group_of(served, BACKGROUND_MODEL), lambda: partitions.count, clock)
    return Monitoring(settings, database, served, clock, Feeds(progress), notes, background, partitions)


def _group_of(served: ActiveBuilds, read_model: str) -> Callable[[], str | None]:
    """Return what tells the group that feeds a read model, None while none is served."""

    def group() -> str | None:
        build = served.builds.get(read_model)
        return None if build is None else build.group

    return group
