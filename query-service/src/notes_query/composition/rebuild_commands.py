"""What operators' commands are made of."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from notes_contracts import partition_of
from notes_contracts.topics import PARTITIONS
from notes_query.composition.projector import begin_builds
from notes_query.composition.shared import Shared, now
from notes_query.rebuilding import builds_cli, rebuild_cli, verify_cli
from notes_query.rebuilding.rebuild import Rebuild
from notes_query.rebuilding.stored_documents import Comparison, StoredDocuments
from notes_query.rebuilding.switch_build import DropBuild, SwitchBuild
from notes_query.rebuilding.topic_reader import KafkaTopicReader
from notes_query.rebuilding.unversioned import Unversioned
from notes_query.rebuilding.verify import Verify


def make_drop(shared: Shared) -> DropBuild:
    """Return what drops builds."""
    return DropBuild(shared.builds, shared.instances, Comparison(shared.database).remove)


def make_rebuild(shared: Shared, shown: rebuild_cli.Shown) -> Rebuild:
    """Return what rebuilds and switches."""
    switch = SwitchBuild(
        shared.builds, shared.instances, shared.topic, Comparison(shared.database), shared.read_models, now
    )
    return Rebuild(begin_builds(shared), switch, make_drop(shared), shared.instances, shown)


async def rebuild(arguments: argparse.Namespace, shared: Shared) -> int:
    """Do `rebuild` and `switch-back`; return the exit code."""
    return await rebuild_cli.run(arguments, make_rebuild(shared, rebuild_cli.Shown()), list(shared.read_models))


async def builds(arguments: argparse.Namespace, shared: Shared) -> int:
    """Do `builds`; return the exit code."""
    return await builds_cli.show(arguments, shared.builds, shared.instances, shared.topic, Unversioned(shared.database))


async def drop(arguments: argparse.Namespace, shared: Shared) -> int:
    """Do `drop`; return the exit code."""
    return await builds_cli.drop(arguments, make_drop(shared), Unversioned(shared.database))


@asynccontextmanager
async def verifying(shared: Shared) -> AsyncIterator[Verify]:
    """Give what verifies a read model."""
    reader = KafkaTopicReader(shared.cluster, shared.settings.topic_events)
    stored = StoredDocuments(shared.database)
    try:
        yield Verify(shared.topic, reader, stored, _partitions_of)
    finally:
        await reader.close()


def _partitions_of(note_id: str, count: int) -> set[int]:
    """Return where Kafka's clients put a note, and where command-service does, which knows one number."""
    key = note_id.encode()
    return {partition_of(key, count), partition_of(key, PARTITIONS)} & set(range(count))


async def verify(arguments: argparse.Namespace, shared: Shared) -> int:
    """Do `verify`; return the exit code."""
    async with verifying(shared) as verify_read_model:
        return await verify_cli.run(arguments, shared.builds, verify_read_model, shared.read_models)
