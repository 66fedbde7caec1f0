"""What a person asks for from the command line: gaps, forks, missing versions and dead letters."""

import argparse
from collections.abc import Collection, Mapping, Sequence

from notes_query.composition.indexes import create_indexes
from notes_query.composition.projector import parts_of
from notes_query.composition.shared import Shared, now
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.record_outcomes import RecordOutcomes
from notes_query.projecting.stored_record import DeadLetterStore
from notes_query.rebuilding.builds import Build
from notes_query.rebuilding.topic_reader import KafkaTopicReader
from notes_query.repairing import dead_letters_cli, gaps_cli
from notes_query.repairing.forks import DropForks, Forks
from notes_query.repairing.gaps import Gaps
from notes_query.repairing.missing_versions import MissingVersions, MongoAwaitedVersions
from notes_query.repairing.redrive import Redrive, Target


async def gaps(arguments: argparse.Namespace, shared: Shared) -> int:
    """Show the gaps of the notes that readers get; return the exit code."""
    await create_indexes(shared.database)
    shared.served.follow(await shared.builds.served())
    return await gaps_cli.run_gaps(arguments, Gaps(shared.database, shared.served))


async def forks(arguments: argparse.Namespace, shared: Shared) -> int:
    """List, show or drop forks; return the exit code."""
    kept = await forks_of(shared)
    reader = KafkaTopicReader(shared.cluster, shared.settings.topic_events)
    drop = DropForks(kept, lambda note_ids: _heal(shared, note_ids), now)
    try:
        return await gaps_cli.run_forks(arguments, kept, drop, reader.read)
    finally:
        await reader.close()


async def missing(arguments: argparse.Namespace, shared: Shared) -> int:
    """List, show or drop versions that did not come; return the exit code."""
    return await gaps_cli.run_missing(
        arguments, MissingVersions(shared.database), lambda note_ids: _heal(shared, note_ids)
    )


async def _fed(shared: Shared) -> list[Build]:
    """Return the builds that this release feeds: it knows nothing of others but that there are some."""
    return [one for one in await shared.builds.all() if one.is_for(shared.read_models) and one.state != "begun"]


async def _heal(shared: Shared, note_ids: Collection[str]) -> None:
    """Look again at these notes in everything that is fed: what stood in their way is gone."""
    for build in await _fed(shared):
        for part in parts_of(shared, build):
            await part.heal(note_ids)


async def dead_letters(arguments: argparse.Namespace, shared: Shared) -> int:
    """List, show, redrive or drop dead letters; return the exit code."""
    await create_indexes(shared.database)
    return await dead_letters_cli.run(arguments, shared.dead_letters, await redrive_of(shared), now)


async def redrive_of(shared: Shared) -> Redrive:
    """Return what applies dead letters to everything that is fed now."""
    builds = await _fed(shared)
    return Redrive(shared.dead_letters, lambda given_up: _targets(shared, builds, given_up), now)


async def forks_of(shared: Shared) -> Forks:
    """Return the forks of everything that is fed now."""
    collections = [one.collection(name) for one in await _fed(shared) for name in one.versions]
    return Forks(shared.database, collections)


def _targets(shared: Shared, builds: Sequence[Build], given_up: DeadLetterStore) -> Mapping[str, Sequence[Target]]:
    """Return everything that is fed: each topic's builds, or the outcomes."""
    settings = shared.settings
    awaited = MongoAwaitedVersions(shared.database)
    record = RecordOutcomes(shared.outcomes, given_up, shared.outcome_waiters, now, awaited)
    return {
        settings.topic_events: [
            Target(f"build {one.number}", ProjectEvents(parts_of(shared, one, given_up), given_up, now))
            for one in builds
        ],
        settings.topic_outcomes: [Target("outcomes", record)],
    }
