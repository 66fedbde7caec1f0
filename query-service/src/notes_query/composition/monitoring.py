"""What looks after the projections, and repairs that reach everything that this release feeds."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import httpx
import structlog

from notes_chassis.access.authentication import Authentication
from notes_chassis.dead_letters import STATES
from notes_chassis.process import Step
from notes_contracts.times import now
from notes_query.composition.projector import parts_of, record_outcomes
from notes_query.composition.shared import ADMIN, SERVED_NOTES, Shared
from notes_query.monitoring import metrics
from notes_query.monitoring.lag import look_together
from notes_query.monitoring.maintenance import Maintenance, Periodic
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.stored_record import DeadLetterStore
from notes_query.rebuilding.builds import Build
from notes_query.repairing.ask_republish import AskRepublish, Republisher, RepublishRequests
from notes_query.repairing.dead_letters import Redrive, Target
from notes_query.repairing.forks import Forks
from notes_query.repairing.gaps import Gaps
from notes_query.repairing.missing_versions import AwaitVersions, MissingVersions, MongoAwaitedVersions, NoteLevels

log = structlog.get_logger()

LOOK_S: Final = 1.0
"""Seconds between two times that a process tells how far what it feeds is, and sees how fresh the documents are."""
INTERVAL_S: Final = 5.0
"""Seconds between looks at the servers."""
HEAL_S: Final = 10.0
"""Seconds between looks at the events that wait: each batch looks after its own."""
MISSING_S: Final = 5.0
"""Seconds between looks for versions that do not come, which are missed after half a minute."""
FIGURES_S: Final = 15.0
ASK_S: Final = 10.0
REPUBLISH_S: Final = 5.0
"""Seconds that command-service has to answer."""


def everywhere(shared: Shared, maintenance: Maintenance) -> Mapping[str, Step]:
    """Return the tasks of any process."""

    async def look() -> None:
        """Tell what is known of one's own, and look at the rest. What is known is shown, also when a look fails."""
        try:
            await shared.feeds.step()
            await look_together(shared.lag.values(), shared.feeds.store, shared.feeds.progress)
        finally:
            for projector, freshness in shared.lag.items():
                seconds = freshness.seconds()
                metrics.PROJECTION_LAG.labels(projector).set(math.nan if seconds is None else seconds)

    return {
        "freshness": Periodic("freshness", look, LOOK_S).run,
        "maintenance": Periodic("maintenance", maintenance.step, INTERVAL_S).run,
        "waiting events": Periodic("waiting events", maintenance.heal, HEAL_S).run,
    }


def projecting(
    shared: Shared, command_service: httpx.AsyncClient | None, access: Authentication | None
) -> Mapping[str, Step]:
    """Return the tasks of a process that projects; without `command_service` no snapshots are asked for."""
    await_versions = AwaitVersions(
        MongoAwaitedVersions(shared.database),
        MissingVersions(shared.database),
        NoteLevels(shared.database, shared.served),
        shared.lag[SERVED_NOTES].through,
        now,
    )

    async def figures() -> None:
        counted = await shared.dead_letters.by_state()
        for state in STATES:
            metrics.DEAD_LETTERS_KEPT.labels(state).set(counted.get(state, 0))

    tasks = {
        "missing versions": Periodic("missing versions", await_versions, MISSING_S).run,
        "figures": Periodic("figures", figures, FIGURES_S).run,
    }
    if command_service is not None and shared.settings.query_ask_republish:
        credentials, client_id = None, shared.settings.query_client_id
        if access is not None and client_id is not None:
            credentials = access.as_client(client_id, shared.settings.query_client_secret, ADMIN)
        if access is not None and credentials is None:
            log.warning("no snapshots are asked for: there is nobody to ask as", setting="NOTES_QUERY_CLIENT_ID")
            return tasks
        ask = AskRepublish(
            gaps_in(shared, building=False),  # what is built may come to the snapshots that there are
            RepublishRequests(shared.database),
            Republisher(command_service, REPUBLISH_S, credentials),
            now,
            lambda answer: metrics.REPUBLISH.labels(answer).inc(),
        )
        tasks["snapshots asked for"] = Periodic("snapshots asked for", ask, ASK_S).run
    return tasks


async def _fed(shared: Shared) -> list[Build]:
    """Return the builds that this release feeds: it knows nothing of others but that there are some."""
    return [one for one in await shared.builds.all() if one.is_for(shared.read_models) and one.state != "begun"]


async def heal(shared: Shared, note_ids: Collection[str]) -> None:
    """Look again at these notes in everything that is fed: what stood in their way is gone."""
    for build in await _fed(shared):
        for part in parts_of(shared, build):
            if isinstance(part, FoldReadModel):
                await part.heal(note_ids)


def _folded(shared: Shared, builds: Sequence[Build]) -> list[str]:
    """Return the collections of folded documents of these builds."""
    return [one.collection(name) for one in builds for name in one.versions if name not in shared.of_entries]


def gaps_in(shared: Shared, *, building: bool) -> Gaps:
    """Return the gaps of everything that is fed; of builds that are not complete yet only with `building`."""

    async def folded() -> list[str]:
        return _folded(shared, [one for one in await _fed(shared) if building or one.state == "complete"])

    return Gaps(shared.database, shared.served, folded)


async def forks_of(shared: Shared) -> Forks:
    """Return the forks of everything that is fed now."""
    return Forks(shared.database, _folded(shared, await _fed(shared)))


async def redrive_of(shared: Shared) -> Redrive:
    """Return what applies dead letters to everything that is fed now: each topic's builds, or the outcomes."""
    builds = await _fed(shared)

    def targets(given_up: DeadLetterStore) -> Mapping[str, Sequence[Target]]:
        return {
            shared.settings.topic_events: [
                Target(f"build {one.number}", ProjectEvents(parts_of(shared, one, given_up), given_up, now))
                for one in builds
            ],
            shared.settings.topic_outcomes: [Target("outcomes", record_outcomes(shared, given_up))],
        }

    return Redrive(shared.dead_letters, targets, now)
