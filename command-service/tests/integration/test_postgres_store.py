"""PostgreSQL keeps the same promises as the in-memory twins."""

from collections.abc import AsyncIterator

import pytest
from command_support.outbox_suite import OutboxSuite
from command_support.race_suite import RaceSuite
from command_support.store_suite import StoreSuite
from command_support.world import World, postgres_world

from notes_command.postgres import create_engine


@pytest.fixture
async def world(postgres_database: str) -> AsyncIterator[World]:
    engine = create_engine(postgres_database)
    yield postgres_world(engine)
    await engine.dispose()


class TestStore(StoreSuite):
    pass


class TestOutbox(OutboxSuite):
    pass


class TestRaces(RaceSuite):
    pass
