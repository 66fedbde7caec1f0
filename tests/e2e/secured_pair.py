"""Services on a broker with SASL_SSL and access rights, whose sessions end every six seconds, and tokens every ten."""

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from aiokafka import TopicPartition

from notes_chassis.kafka.clients import close, groupless, producer, started
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.topics import provision
from notes_contracts import CreateNote, write
from notes_contracts.topics import TOPICS
from tests.e2e.service_process import ServiceProcess
from tests.harness import secured_kafka
from tests.harness.issuer_process import IssuerProcess, issuer_process
from tests.harness.kafka_io import new_id
from tests.servers.background import Background
from tests.servers.own_kafka import own_kafka
from tools.issuer.app import SECRET

SESSION_S: Final = 6
TOKEN_S: Final = 10
WITHIN_S: Final = 30.0
RIGHTS: Final = secured_kafka.rights()
PRINCIPALS: Final = sorted({right.principal for right in RIGHTS})
STRANGER: Final = "stranger"
"""Has a password, and no rights."""
COUNTED: Final = "tests.harness.counted"


@dataclass(frozen=True)
class Broker:
    """The broker, as its administrator reaches it, and the issuer that it believes."""

    administrator: Cluster
    authority: Path
    issuer: IssuerProcess
    passwords: dict[str, str]

    def of(self, principal: str) -> Cluster:
        return replace(self.administrator, username=principal, password=self.passwords[principal])

    def environment(self, principal: str, mechanism: str) -> dict[str, str]:
        """Return what a service of this principal is told of Kafka."""
        return {
            "NOTES_KAFKA": self.administrator.addresses,
            "NOTES_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "NOTES_KAFKA_SASL_MECHANISM": mechanism,
            "NOTES_KAFKA_SSL_CAFILE": str(self.authority),
            **(
                {
                    "NOTES_KAFKA_CLIENT_ID": principal,
                    "NOTES_KAFKA_CLIENT_SECRET": SECRET,
                    "NOTES_OIDC_ISSUER": self.issuer.url,
                    "NOTES_OIDC_AUDIENCE": "notes",
                }
                if mechanism == "OAUTHBEARER"
                else {"NOTES_KAFKA_USERNAME": principal, "NOTES_KAFKA_PASSWORD": self.passwords[principal]}
            ),
        }


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, background: Background) -> Iterator[Broker]:
    """Give a broker that the table of docs/security.md was set up on, and nothing else."""
    folder = tmp_path_factory.mktemp("secured")
    with issuer_process(folder / "issuer.log", TOKEN_S, deployed=True) as issuer:
        alone, whole = secured_kafka.certificate(folder)
        password = secrets.token_hex()
        passwords = {principal: secrets.token_hex() for principal in [*PRINCIPALS, STRANGER]}
        admin = secured_kafka.cluster("", alone, secured_kafka.ADMIN, password)
        with own_kafka(
            folder / "kafka",
            secured_kafka.settings(alone, whole, password, issuer.url, SESSION_S * 1000),
            format_options=["--add-scram", f"SCRAM-SHA-512=[name={secured_kafka.ADMIN},password={password}]"],
            java_options=[f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer.url}/keys"],
            check=lambda address: background.run(secured_kafka.answers(replace(admin, addresses=address))),
        ) as address:
            made = Broker(replace(admin, addresses=address), alone, issuer, passwords)
            background.run(_set_up(made))
            yield made


async def _set_up(broker: Broker) -> None:
    await secured_kafka.set_passwords(broker.administrator, broker.passwords)
    await provision(broker.administrator, TOPICS)
    await secured_kafka.grant(broker.administrator, RIGHTS)


Make = Callable[[str, str], ServiceProcess]


@pytest.fixture
def clients(tmp_path: Path) -> Path:
    """Give the file in which each client of Kafka notes how it was made, in what is run by COUNTED."""
    return tmp_path / "clients"


def made_with(clients: Path) -> list[str]:
    """Return how each client was made."""
    return clients.read_text().splitlines()


@pytest.fixture
def make(clients: Path, broker: Broker, postgres_database: str, mongo_database: str, tmp_path: Path) -> Iterator[Make]:
    """Give what makes a `command` or `query` service that proves who it is by a mechanism; ended after the test."""
    made: list[ServiceProcess] = []

    def make(name: str, mechanism: str) -> ServiceProcess:
        stores = {"NOTES_POSTGRES": postgres_database, "NOTES_MONGO": mongo_database}
        stores |= {"CLIENTS": str(clients), "NOTES_KAFKA_SESSION_MS": "6000"}
        environment = stores | broker.environment(f"notes-{name}", mechanism)
        service = ServiceProcess(name, environment, tmp_path / f"{name}-{mechanism}.log", runner=[COUNTED])
        made.append(service)
        return service

    yield make
    stuck = list[str]()
    for service in made:
        try:
            if service.is_running:
                service.terminate()
        except subprocess.TimeoutExpired:
            stuck.append(service.log.name)
            service.kill()
        print(f"--- {service.log.name} ---\n{service.log_tail()}")  # noqa: T201 - pytest shows it when a test fails
    assert not stuck, "a service took longer than its grace to stop"


@asynccontextmanager
async def upstream(broker: Broker) -> AsyncIterator[Any]:
    active = await started(producer(broker.of("upstream"), enable_idempotence=True, linger_ms=2))
    try:
        yield active
    finally:
        await close(active)


async def send(active: Any, note_id: str, title: str = "T") -> "asyncio.Future[Any]":
    written = write(CreateNote(note_id=note_id, title=title), id=new_id())
    return await active.send("notes.commands", written.value, written.key, headers=list(written.headers))


async def until(what: Callable[[], Any], within: float = WITHIN_S) -> Any:
    """Return what is asked for as soon as it is true."""
    async with asyncio.timeout(within):
        while not (found := await what()):
            await asyncio.sleep(0.2)
        return found


async def told(service: ServiceProcess, what: str, *parts: str) -> bool:
    """Say whether readiness names what is wrong, in all of these parts."""
    found = await unwell(service)
    return all(what in str(found.get(part)) for part in parts)


async def well(service: ServiceProcess, within: float = WITHIN_S) -> None:
    """Wait until all parts are well."""
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(within):
            while found := await unwell(service):
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(f"{service.log.name}: {found}")


async def unwell(service: ServiceProcess) -> dict[str, Any]:
    """Return the parts of a service that are not well; `http` if nobody answers."""
    # Asked again and again, over HTTP: to read the certificates of all authorities would take longer than all else.
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S, verify=False) as http:
        try:
            answer = (await http.get(f"{service.url}/readyz")).json()
        except httpx.TransportError:
            return {"http": None}
    return {name: part for name, part in answer["parts"].items() if not part["ok"]}


async def ends(broker: Broker) -> dict[str, int]:
    """Return how many records each topic has had."""
    consumer = await started(groupless(broker.administrator))
    try:
        found = {}
        for topic in TOPICS:
            partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
            found[topic.name] = sum((await consumer.end_offsets(partitions)).values())
        return found
    finally:
        await close(consumer)
