"""A MongoDB database per test."""

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.servers.addresses import Servers


@pytest.fixture
def mongo_database(servers: Servers) -> Iterator[str]:
    """Give the mongodb:// URL with a database of this test's own in its path, which goes with the test."""
    name = f"test_{uuid.uuid4().hex}"
    yield urlunsplit(urlsplit(servers.mongo)._replace(path=f"/{name}"))
    from pymongo import MongoClient  # noqa: PLC0415 - slow to import, and unit tests load this file

    with MongoClient[dict[str, Any]](servers.mongo, serverSelectionTimeoutMS=30_000) as client:
        client.drop_database(name)
