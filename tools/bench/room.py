"""The servers, and on them topics and databases of one run's own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from motor.motor_asyncio import AsyncIOMotorClient

from tools.stack.folder import REPOSITORY

STATE = REPOSITORY / ".stack" / "bench"
TOPICS = ("commands", "events", "outcomes", "command_dead_letters", "event_dead_letters")


class BenchError(Exception):
    """The run could not be made, or came to a wrong result; the message is for a person."""


@dataclass(frozen=True)
class Room:
    """Addresses and names of one run; `environment` is what its processes are given."""

    kafka: str
    postgres: str
    mongo: str
    topics: dict[str, str]
    logs: Path
    environment: dict[str, str]


@asynccontextmanager
async def room(addresses: dict[str, str]) -> AsyncIterator[Room]:
    """Make topics and databases, and remove them afterwards.

    Raises:
        BenchError: a step failed; it names the log.

    """
    name = f"bench_{uuid4().hex[:8]}"
    postgres = urlsplit(addresses["postgres"])._replace(path=f"/{name}").geturl()
    mongo = urlsplit(addresses["mongo"])._replace(path=f"/{name}").geturl()
    topics = {kind: f"{name}.{kind}" for kind in TOPICS}
    logs = STATE / "logs" / name
    logs.mkdir(parents=True)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("NOTES_")},
        "NOTES_KAFKA": addresses["kafka"],
        "NOTES_POSTGRES": postgres,
        "NOTES_MONGO": mongo,
        "NOTES_COMMAND_GROUP": f"{name}-command",
        "NOTES_QUERY_GROUP": f"{name}-query",
        **{f"NOTES_TOPIC_{kind.upper()}": topic for kind, topic in topics.items()},
    }
    made = Room(addresses["kafka"], postgres, mongo, topics, logs, environment)
    await _statement(addresses["postgres"], f'CREATE DATABASE "{name}"')
    try:
        await asyncio.gather(*(run(made, service, "topics") for service in ("notes_command", "notes_query")))
        yield made
    finally:
        await _remove(made, addresses["postgres"], name)


async def run(made: Room, module: str, *arguments: str) -> None:
    """Run a module to its end in the room. Raises BenchError."""
    log = made.logs / f"{module}-{arguments[0]}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, env=made.environment, stdout=output, stderr=output
        )
        if await process.wait():
            raise BenchError(f"`{module} {' '.join(arguments)}` failed: {log}")


async def _remove(made: Room, postgres: str, name: str) -> None:
    await _statement(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')
    await AsyncIOMotorClient(made.mongo).drop_database(name)
    admin = AIOKafkaAdminClient(bootstrap_servers=made.kafka)
    await admin.start()
    try:
        await admin.delete_topics(list(made.topics.values()))
    finally:
        await admin.close()


async def _statement(address: str, text: str) -> None:
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(text)
    finally:
        await connection.close()
