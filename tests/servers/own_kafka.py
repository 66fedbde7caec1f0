"""A broker of a test module's own, with settings that the shared one must not have."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.stack import kafka as stack_kafka
from tools.stack.folder import Folder
from tools.stack.native import start_servers, stop_servers

GUARDED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


@contextmanager
def own_kafka(folder: Path, changes: Mapping[str, str]) -> Iterator[str]:
    """Run a native broker with these settings changed; give its address."""
    own, given = Folder(folder), stack_kafka.settings
    stack_kafka.settings = lambda *args, **more: given(*args, **more) | dict(changes)
    try:
        try:
            address = start_servers(own, ["kafka"], fast=True)["kafka"]
        finally:
            # Right after the start: whatever else starts or reads about a broker while this one runs means the usual.
            stack_kafka.settings = given
        yield address
    finally:
        stop_servers(own, at_once=True)


@pytest.fixture(scope="session")
def guarded_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a broker that knows access rights: everything is allowed but what `tests.harness.access` forbids."""
    with own_kafka(tmp_path_factory.mktemp("guarded-kafka"), GUARDED) as address:
        yield address
