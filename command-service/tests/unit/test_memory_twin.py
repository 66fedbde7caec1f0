"""The in-memory twins keep what PostgreSQL promises."""

import pytest
from command_support.outbox_suite import OutboxSuite
from command_support.race_suite import RaceSuite
from command_support.store_suite import StoreSuite
from command_support.world import World, memory_world


@pytest.fixture
def world() -> World:
    return memory_world()


class TestStore(StoreSuite):
    pass


class TestOutbox(OutboxSuite):
    pass


class TestRaces(RaceSuite):
    pass
