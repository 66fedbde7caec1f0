"""Services on a secured broker whose secrets all come out of files, and who was told them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from tests.e2e.secured_pair import Broker
from tests.e2e.service_process import ServiceProcess
from tests.harness.confidence import Confidence
from tests.harness.kafka_io import new_id
from tests.servers.addresses import Servers
from tests.servers.background import Background
from tests.servers.postgres_template import statement
from tools.issuer.app import SECRET
from tools.stack.ports import any_port

IN_FILES: Final = (
    "NOTES_POSTGRES",
    "NOTES_MONGO",
    "NOTES_KAFKA_PASSWORD",
    "NOTES_KAFKA_CLIENT_SECRET",
    "NOTES_QUERY_CLIENT_SECRET",
)


@pytest.fixture
def confidence() -> Confidence:
    told = Confidence()
    for what in ("title", "body", "author", "tag", "search"):
        told.secret(f"a note's {what}")
    return told


@pytest.fixture
def stores(
    servers: Servers, postgres_database: str, mongo_database: str, confidence: Confidence, background: Background
) -> Iterator[dict[str, str]]:
    """Give URLs with users and passwords of this test's own, as a service is told them."""
    name = f"user_{new_id().replace('-', '')}"
    passwords = {store: confidence.secret(f"password of {store}") for store in ("PostgreSQL", "MongoDB")}
    owner = urlsplit(postgres_database).username
    background.run(
        statement(
            postgres_database, f"CREATE ROLE {name} LOGIN PASSWORD '{passwords['PostgreSQL']}' IN ROLE \"{owner}\""
        )
    )
    with MongoClient[dict[str, Any]](mongo_database) as client:
        database = client.get_default_database()
        database.command("createUser", name, pwd=passwords["MongoDB"], roles=["readWrite"])
        yield {
            "NOTES_POSTGRES": _as(postgres_database, name, passwords["PostgreSQL"]),
            "NOTES_MONGO": _as(mongo_database, name, passwords["MongoDB"]),
        }
        database.command("dropUser", name)
    background.run(statement(postgres_database, f"DROP ROLE {name}"))


def _as(url: str, name: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


Make = Callable[..., ServiceProcess]


@pytest.fixture
def make(broker: Broker, stores: dict[str, str], confidence: Confidence, tmp_path: Path) -> Iterator[Make]:
    """Give what makes a service whose secrets are in files; settings may be changed."""
    made: list[ServiceProcess] = []

    def make(name: str, **changes: str) -> ServiceProcess:
        mechanism = {"command": "SCRAM-SHA-512", "query": "OAUTHBEARER"}[name]
        told = stores | broker.environment(f"notes-{name}", mechanism) | broker.issuer.settings
        told |= {f"NOTES_{name.upper()}_OPS_PORT": str(any_port()), f"NOTES_{name.upper()}_LOG_LEVEL": "debug"}
        told |= {"NOTES_QUERY_CLIENT_ID": "query-service", "NOTES_QUERY_CLIENT_SECRET": SECRET, **changes}
        for setting in set(IN_FILES) & told.keys():
            value = told.pop(setting)
            if not setting.endswith(("POSTGRES", "MONGO")):
                confidence.secret(f"{setting} of {len(made)}", value)
            path = tmp_path / f"{setting}-{len(made)}"
            path.write_text(value)
            told[f"{setting}_FILE"] = str(path)
        service = ServiceProcess(name, told, tmp_path / f"{name}-{len(made)}.log", deployed=True)
        made.append(service)
        return service

    yield make
    for service in made:
        service.kill()
        print(f"--- {service.log.name} ---\n{service.log_tail()}")  # noqa: T201 - pytest shows it when a test fails
