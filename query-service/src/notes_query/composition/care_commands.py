"""What a person asks for from the command line: gaps and dead letters."""

import argparse
from collections.abc import Mapping, Sequence

from notes_query.adapters.mongo.awaited_versions import MongoAwaitedVersions
from notes_query.adapters.mongo.dead_letters_kept import MongoDeadLetters
from notes_query.adapters.mongo.gaps import MongoGaps
from notes_query.adapters.mongo.indexes import create_indexes
from notes_query.application.generations import Generation, fed
from notes_query.application.ports import DeadLetterStore
from notes_query.application.project_events import ProjectEvents
from notes_query.application.record_outcomes import RecordOutcomes
from notes_query.application.redrive import Redrive, Target
from notes_query.composition.projector import parts_of
from notes_query.composition.shared import Shared, now
from notes_query.entrypoints.cli import dead_letters as dead_letters_cli
from notes_query.entrypoints.cli import gaps as gaps_cli


async def gaps(arguments: argparse.Namespace, shared: Shared) -> int:
    """Show the gaps of the notes that readers get; return the exit code."""
    await create_indexes(shared.database)
    shared.served.follow(await shared.generations.pointers())
    return await gaps_cli.run(arguments, MongoGaps(shared.database, shared.served))


async def dead_letters(arguments: argparse.Namespace, shared: Shared) -> int:
    """List, show, redrive or drop dead letters; return the exit code."""
    await create_indexes(shared.database)
    letters = MongoDeadLetters(shared.database)
    generations = [one for one in fed(await shared.generations.all()) if set(one.shapes) <= shared.shapes.keys()]
    redrive = Redrive(letters, shared.letters, lambda given_up: _targets(shared, generations, given_up), now)
    return await dead_letters_cli.run(arguments, letters, redrive, now)


def _targets(
    shared: Shared, generations: Sequence[Generation], given_up: DeadLetterStore
) -> Mapping[str, Sequence[Target]]:
    """Return everything that is fed: each topic's generations, or the outcomes."""
    settings = shared.settings
    awaited = MongoAwaitedVersions(shared.database)
    record = RecordOutcomes(shared.outcomes, given_up, shared.outcome_waiters, now, awaited)
    return {
        settings.topic_events: [
            Target(f"generation {one.number}", ProjectEvents(parts_of(shared, one, given_up), given_up, now))
            for one in generations
        ],
        settings.topic_outcomes: [Target("outcomes", record)],
    }
