"""A database per test."""

import uuid
from collections.abc import Iterator

import pytest

from tests.servers.addresses import Servers
from tests.servers.background import Background
from tests.servers.postgres_template import ensure_template, statement, with_database
from tests.servers.stash import SESSION


@pytest.fixture(scope="session")
def postgres_template(servers: Servers, pytestconfig: pytest.Config, background: Background) -> str:
    """Give the name of a migrated database to copy; nobody may be connected to it."""
    return background.run(ensure_template(pytestconfig.stash[SESSION], servers.postgres), within=240)


@pytest.fixture
def postgres_database(servers: Servers, postgres_template: str, background: Background) -> Iterator[str]:
    """Give the postgresql:// URL of a migrated database of this test's own, which goes with the test."""
    name = f"test_{uuid.uuid4().hex}"
    create = f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template}"'
    background.run(statement(servers.postgres, create))
    yield with_database(servers.postgres, name)
    background.run(statement(servers.postgres, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
