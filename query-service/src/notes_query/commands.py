"""The command line: what can be asked, and what is done then. Results go to standard output."""

import argparse
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import structlog
import uvloop

from notes_chassis.administration import log_command
from notes_chassis.kafka.topic_check import make_topics
from notes_chassis.memory import uncollected
from notes_chassis.settings import Command
from notes_contracts import partition_of
from notes_contracts.topics import PARTITIONS
from notes_query.composition.indexes import create_indexes
from notes_query.composition.projector import begin_builds
from notes_query.composition.repairs import forks_of, heal, redrive_of
from notes_query.composition.shared import Shared, now
from notes_query.errors import NotesQueryError
from notes_query.projections import READ_MODELS
from notes_query.rebuilding import builds_cli, rebuild_cli, verify_cli
from notes_query.rebuilding.rebuild import Rebuild
from notes_query.rebuilding.stored_documents import Comparison, StoredDocuments
from notes_query.rebuilding.switch_build import DropBuild, SwitchBuild
from notes_query.rebuilding.unversioned import Unversioned
from notes_query.rebuilding.verify import Verify
from notes_query.repairing import dead_letters_cli, gaps_cli
from notes_query.repairing.forks import DropForks
from notes_query.repairing.gaps import Gaps
from notes_query.repairing.missing_versions import MissingVersions
from notes_query.settings import Settings, read_settings

log = structlog.get_logger()


def add_serve(commands: Any) -> None:
    """Add the grammar of `serve`."""
    parser = commands.add_parser("serve", help="run the projector and the HTTP API until SIGTERM")
    parser.add_argument("--only", choices=("projector", "api"), help="run this half alone")


def serve(arguments: argparse.Namespace) -> int:
    """Run the service. What answers HTTP is slow to import, and nothing else needs it."""
    with uncollected():
        from notes_query import main  # noqa: PLC0415

    return main.serve(arguments)


def add_topics(commands: Any) -> None:
    """Add the grammar of `topics`."""
    parser = commands.add_parser("topics", help="create the topics that are missing")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for Kafka (60)")


def topics(arguments: argparse.Namespace) -> int:
    """Create the topics that are missing, mend the others."""
    settings = read_settings()
    return make_topics(settings.cluster(), settings.topics, arguments.timeout)


def on_stores(work: Callable[[argparse.Namespace, Shared], Awaitable[int]]) -> Command:
    """Return a command that does `work` with the stores connected, and says in a sentence what is away."""

    def command(arguments: argparse.Namespace) -> int:
        settings = read_settings()
        code = uvloop.run(_connected(settings, arguments))
        log_command(arguments, code)
        return code

    async def _connected(settings: Settings, arguments: argparse.Namespace) -> int:
        shared = Shared(settings, READ_MODELS)
        try:
            return await work(arguments, shared)
        except NotesQueryError as error:
            log.error("not done", reason=str(error))  # noqa: TRY400 - a sentence, not a traceback
            return 1
        finally:
            await shared.topic.close()
            await shared.database.close()

    return command


def make_drop(shared: Shared) -> DropBuild:
    """Return what drops builds."""
    return DropBuild(shared.builds, shared.instances, Comparison(shared.database).remove)


def make_rebuild(shared: Shared, shown: rebuild_cli.Shown) -> Rebuild:
    """Return what rebuilds and switches."""
    switch = SwitchBuild(
        shared.builds, shared.instances, shared.topic, Comparison(shared.database), shared.read_models, now
    )
    return Rebuild(begin_builds(shared), switch, make_drop(shared), shared.instances, shown)


async def _rebuild(arguments: argparse.Namespace, shared: Shared) -> int:
    return await rebuild_cli.run(arguments, make_rebuild(shared, rebuild_cli.Shown()), list(shared.read_models))


async def _builds(arguments: argparse.Namespace, shared: Shared) -> int:
    return await builds_cli.show(arguments, shared.builds, shared.instances, shared.topic, Unversioned(shared.database))


async def _drop(arguments: argparse.Namespace, shared: Shared) -> int:
    return await builds_cli.drop(arguments, make_drop(shared), Unversioned(shared.database))


def make_verify(shared: Shared) -> Verify:
    """Return what verifies a read model."""
    return Verify(shared.topic, StoredDocuments(shared.database), _partitions_of)


def _partitions_of(note_id: str, count: int) -> set[int]:
    """Return where Kafka's clients put a note, and where command-service does, which knows one number."""
    key = note_id.encode()
    return {partition_of(key, count), partition_of(key, PARTITIONS)} & set(range(count))


async def _verify(arguments: argparse.Namespace, shared: Shared) -> int:
    return await verify_cli.run(arguments, shared.builds, make_verify(shared), shared.read_models)


async def _gaps(arguments: argparse.Namespace, shared: Shared) -> int:
    await create_indexes(shared.database)
    shared.served.follow(await shared.builds.served())
    return await gaps_cli.run_gaps(arguments, Gaps(shared.database, shared.served))


async def _forks(arguments: argparse.Namespace, shared: Shared) -> int:
    forks = await forks_of(shared)
    drop = DropForks(forks, lambda note_ids: heal(shared, note_ids), now)
    return await gaps_cli.run_forks(arguments, forks, drop, shared.topic.read)


async def _missing(arguments: argparse.Namespace, shared: Shared) -> int:
    missing = MissingVersions(shared.database)
    return await gaps_cli.run_missing(arguments, missing, lambda note_ids: heal(shared, note_ids))


async def _dead_letters(arguments: argparse.Namespace, shared: Shared) -> int:
    await create_indexes(shared.database)
    return await dead_letters_cli.run(arguments, shared.dead_letters, await redrive_of(shared), now)


GRAMMAR: Final[tuple[Callable[[Any], None], ...]] = (
    add_serve,
    add_topics,
    rebuild_cli.add,
    builds_cli.add,
    verify_cli.add,
    gaps_cli.add_gaps,
    gaps_cli.add_forks,
    gaps_cli.add_missing,
    dead_letters_cli.add,
)
RUN: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "serve": serve,
        "topics": topics,
        "rebuild": on_stores(_rebuild),
        "switch-back": on_stores(_rebuild),
        "builds": on_stores(_builds),
        "drop": on_stores(_drop),
        "verify": on_stores(_verify),
        "gaps": on_stores(_gaps),
        "forks": on_stores(_forks),
        "missing": on_stores(_missing),
        "dead-letters": on_stores(_dead_letters),
    }
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m notes_query", description="The read side of Notes.")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for add in GRAMMAR:
        add(subparsers)
    if set(RUN) != set(subparsers.choices):
        raise ImportError(f"commands without a function, or the other way round: {set(RUN) ^ set(subparsers.choices)}")
    return parser.parse_args(arguments)
