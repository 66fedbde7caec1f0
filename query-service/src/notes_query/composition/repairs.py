"""Repairs reach everything that this release feeds: dead letters are applied to it, forks are dropped from it."""

from collections.abc import Collection, Mapping, Sequence

from notes_query.composition.projector import parts_of, record_outcomes
from notes_query.composition.shared import Shared, now
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.stored_record import DeadLetterStore
from notes_query.rebuilding.builds import Build
from notes_query.repairing.dead_letters import Redrive, Target
from notes_query.repairing.forks import Forks


async def _fed(shared: Shared) -> list[Build]:
    """Return the builds that this release feeds: it knows nothing of others but that there are some."""
    return [one for one in await shared.builds.all() if one.is_for(shared.read_models) and one.state != "begun"]


async def heal(shared: Shared, note_ids: Collection[str]) -> None:
    """Look again at these notes in everything that is fed: what stood in their way is gone."""
    for build in await _fed(shared):
        for part in parts_of(shared, build):
            await part.heal(note_ids)


async def forks_of(shared: Shared) -> Forks:
    """Return the forks of everything that is fed now."""
    fed = await _fed(shared)
    collections = [one.collection(name) for one in fed for name in one.versions]
    of_entries = {one.collection(name) for one in fed for name in shared.of_entries if name in one.versions}
    return Forks(shared.database, collections, of_entries)


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
