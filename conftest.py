"""Real servers for the tests that ask for them, in every package: see tests/servers.

Tests run open to everybody, and say so; several services at once have ops listeners on ports that are free.
"""

import gc
import logging
import os
from collections.abc import Iterator

os.environ.update(NOTES_AUTH="none", NOTES_COMMAND_OPS_PORT="0", NOTES_QUERY_OPS_PORT="0")

import pytest
import structlog

if "NOTES_KAFKA" in os.environ or "NOTES_POSTGRES" in os.environ or "NOTES_MONGO" in os.environ:
    from tools.stack.state import forget_ours

    forget_ours()  # tests start servers of their own, though this shell has sourced .stack/env

gc.disable()  # until every test is imported: tests.servers.plugin

pytest_plugins = ["tests.servers.plugin"]

# Structlog's own default draws tracebacks with rich, which takes up to a second each.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def _of_the_process() -> dict[str | bytes, object]:
    names = ("aiokafka", "notes_chassis", "notes_command", "notes_query")
    logs = {name: logging.getLogger(name).level for name in names}
    # As bytes: to decode them all, twice for each test, takes longer than many a test.
    settings = {name: os.environb[name] for name in os.environb if name.startswith(b"NOTES_")}
    return logs | settings | {"structlog": structlog.get_config()["wrapper_class"]}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Fail a test that leaves settings or logs of this process changed: else others fail, in some orders alone."""
    before = _of_the_process()
    yield
    assert _of_the_process() == before
