"""Real servers for tests, started once per session and only if a test asks for them.

    servers            addresses of Kafka, PostgreSQL and MongoDB (`Servers`)
    postgres_database  URL of a database of this test's own, migrated
    mongo_database     URL with a database name of this test's own
    topics             names of five topics of this test's own (`Topics`)

Taken in this order: addresses given by NOTES_KAFKA, NOTES_POSTGRES, NOTES_MONGO; containers, if a Docker
engine answers; native servers. BACKEND=docker|native overrides the choice. All workers of pytest-xdist share
them.
Unit tests get no network at all.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.addresses import Servers
from tests.servers.session import ServersUnavailableError, Session
from tests.servers.stash import SESSION

pytest_plugins = [
    "tests.servers.background",
    "tests.servers.no_sockets",
    "tests.servers.postgres",
    "tests.servers.mongo",
    "tests.servers.topics",
    "tests.servers.own_kafka",
    "tests.servers.order",
]

WORKER_INPUT = "notes_session"


def pytest_configure(config: pytest.Config) -> None:
    for name in ("no_proxy", "NO_PROXY"):  # what a test starts is on this machine; downloads may need the proxy
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))
    given = getattr(config, "workerinput", {}).get(WORKER_INPUT)
    config.stash[SESSION] = Session(Path(given[0]), given[1], given[2]) if given else Session.here()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    session = node.config.stash[SESSION]
    node.workerinput[WORKER_INPUT] = (str(session.folder), session.pid, session.mark)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import every test without the garbage collector, which would go through all that was made a dozen times.

    What was imported stays until the end: no later collection looks at it, nor do pytest's own at the very end.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def needs_servers(item: pytest.Item) -> bool:
    return "servers" in getattr(item, "fixturenames", ())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start at once if any test will ask, so that the tests before it do not wait in vain."""
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and plugins.has_plugin("hypothesispytest"):
        plugins.unregister(name="hypothesispytest")  # it would import hypothesis for the summary, which takes 0.1 s
    if not session.config.option.collectonly and any(needs_servers(item) for item in session.items):
        session.config.stash[SESSION].begin()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait outside the test, whose time limit is not meant for a first start."""
    if needs_servers(item):
        with contextlib.suppress(ServersUnavailableError):  # the fixture fails with it, where a reader looks
            item.config.stash[SESSION].servers()
    return (yield)


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """Give the addresses of the session's servers."""
    try:
        return pytestconfig.stash[SESSION].servers()
    except ServersUnavailableError as error:
        reason = str(error).splitlines()[0]
    pytest.fail(f"no servers: {reason} (more at the end of the report)", pytrace=False)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say once, in full, why there were no servers."""
    if reason := config.stash[SESSION].failure():
        terminalreporter.section("servers", red=True, bold=True)
        terminalreporter.write_line(reason)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.stash[SESSION].end()
