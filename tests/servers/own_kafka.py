"""A broker of a test module's own, with settings that the shared one must not have."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

GUARDED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


@contextmanager
def own_kafka(folder: Path, changes: Mapping[str, object], **options: Any) -> Iterator[str]:
    """Run a native broker with these settings changed, and whatever else `Kafka` takes; give its address."""
    from tools.stack.folder import Folder  # noqa: PLC0415 - slow to import, and unit tests load this file
    from tools.stack.kafka import Kafka  # noqa: PLC0415
    from tools.stack.native import start_all, stop_servers  # noqa: PLC0415
    from tools.stack.progress import Steps  # noqa: PLC0415

    own = Folder(folder)
    own.create()
    try:
        yield start_all([Kafka(fast=True, changes=changes, **options)], own, Steps(quiet=True))["kafka"]
    finally:
        stop_servers(own, at_once=True)


@pytest.fixture(scope="session")
def guarded_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a broker that knows access rights: everything is allowed but what `tests.harness.access` forbids."""
    with own_kafka(tmp_path_factory.mktemp("guarded-kafka"), GUARDED) as address:
        yield address
