"""Both services as processes, on servers and topics of the test's own. A conftest imports the fixtures it needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.service_process import ServiceProcess
from tests.servers.addresses import Servers
from tests.servers.kafka import Topics

Make = Callable[[str], ServiceProcess]


@dataclass(frozen=True)
class Pair:
    """The two services. `environment` is what any program of the system is given; `another` makes one more instance."""

    command: ServiceProcess
    query: ServiceProcess
    topics: Topics
    environment: dict[str, str]
    another: Make


@pytest.fixture
def environment(servers: Servers, postgres_database: str, mongo_database: str, topics: Topics) -> dict[str, str]:
    """Give the settings of a system of this test's own."""
    return {
        "NOTES_KAFKA": servers.kafka,
        "NOTES_POSTGRES": postgres_database,
        "NOTES_MONGO": mongo_database,
        "NOTES_TOPIC_COMMANDS": topics.commands,
        "NOTES_TOPIC_EVENTS": topics.events,
        "NOTES_TOPIC_OUTCOMES": topics.outcomes,
        "NOTES_TOPIC_COMMAND_DEAD_LETTERS": topics.command_dead_letters,
        "NOTES_TOPIC_EVENT_DEAD_LETTERS": topics.event_dead_letters,
        "NOTES_COMMAND_GROUP": f"{topics.commands}.notes-command",
        "NOTES_QUERY_GROUP": f"{topics.commands}.notes-query",
    }


@pytest.fixture
def make_service(environment: dict[str, str], tmp_path: Path) -> Iterator[Make]:
    """Give a function that makes a `command` or `query` service, not started; all are killed after the test."""
    made: list[ServiceProcess] = []

    def make(name: str) -> ServiceProcess:
        service = ServiceProcess(name, environment, tmp_path / f"{name}-{len(made)}.log")
        made.append(service)
        return service

    yield make
    for service in made:
        service.kill()
        print(f"--- {service.log.name} ---\n{service.log_tail()}")  # noqa: T201 - pytest shows it when a test fails


@pytest.fixture
def pair(make_service: Make, environment: dict[str, str], topics: Topics) -> Pair:
    """Give both services, started and ready."""
    command, query = make_service("command"), make_service("query")
    environment["NOTES_COMMAND_URL"] = command.url
    environment["NOTES_QUERY_URL"] = query.url
    for service in (command, query):
        service.start(wait=False)
    for service in (command, query):
        service.wait_until_ready()
    return Pair(command, query, topics, environment, make_service)
