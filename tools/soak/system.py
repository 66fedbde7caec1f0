"""The servers, and on them a database, topics and a consumer group of this run's own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from tools.stack.folder import REPOSITORY, Folder
from tools.stack.given import given_servers
from tools.stack.native import start_servers, stop_servers
from tools.stack.progress import Steps

NEEDED = ("kafka", "postgres")
STATE = REPOSITORY / ".stack" / "soak"


class SoakError(Exception):
    """The run could not be made; the message is for a person."""


@dataclass(frozen=True)
class System:
    """Addresses and names. `environment` is what an instance is given."""

    kafka: str
    postgres: str
    topics: dict[str, str]
    group: str
    logs: Path
    environment: dict[str, str]


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Give the addresses of Kafka and PostgreSQL: the environment's, or those of native servers of our own."""
    given = {name: address for name, address in given_servers().items() if name in NEEDED}
    missing = [name for name in NEEDED if name not in given]
    if not missing:
        yield given
        return
    folder = Folder(STATE)
    with Steps() as steps:
        started = start_servers(folder, missing, steps=steps)
    try:
        yield {**given, **started}
    finally:
        stop_servers(folder, at_once=True)


@asynccontextmanager
async def system(addresses: dict[str, str], session_ms: int) -> AsyncIterator[System]:
    """Make everything and give it. What was made is removed again, unless the run failed: then it is there to look at.

    Raises SoakError.
    """
    name = f"soak-{uuid4().hex[:8]}"
    database = name.replace("-", "_")
    kinds = ("commands", "events", "outcomes", "command_dead_letters")
    topics = {kind: f"{name}.{kind}" for kind in kinds}
    logs = STATE / "logs" / name
    logs.mkdir(parents=True)
    postgres = urlsplit(addresses["postgres"])._replace(path=f"/{database}").geturl()
    made = System(addresses["kafka"], postgres, topics, name, logs, {})
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("NOTES_")}
    environment = {
        **inherited,
        "NOTES_KAFKA": made.kafka,
        "NOTES_POSTGRES": made.postgres,
        "NOTES_COMMAND_GROUP": name,
        "NOTES_COMMAND_PORT": "0",
        "NOTES_KAFKA_SESSION_MS": str(session_ms),
        **{f"NOTES_TOPIC_{kind.upper()}": topic for kind, topic in topics.items()},
    }
    made = replace(made, environment=environment)
    await _statement(addresses["postgres"], f'CREATE DATABASE "{database}"')
    for step in ("migrate", "topics"):
        await _run(made, step)
    yield made
    await _statement(addresses["postgres"], f'DROP DATABASE "{database}" WITH (FORCE)')
    admin = AIOKafkaAdminClient(bootstrap_servers=made.kafka)
    await admin.start()
    try:
        await admin.delete_topics(list(topics.values()))
    finally:
        await admin.close()


async def _statement(address: str, text: str) -> None:
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(text)
    finally:
        await connection.close()


async def _run(made: System, step: str) -> None:
    log = made.logs / f"{step}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "notes_command", step, env=made.environment, stdout=output, stderr=output
        )
        if await process.wait():
            raise SoakError(f"`notes_command {step}` failed: {log}")
