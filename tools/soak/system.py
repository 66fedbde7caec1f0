"""The servers, and on them a database, topics and a consumer group of this run's own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import AsyncMongoClient

from tools.stack.folder import REPOSITORY

KINDS = ("commands", "events", "outcomes", "command_dead_letters", "event_dead_letters")
STATE = REPOSITORY / ".stack" / "soak"


class SoakError(Exception):
    """The run could not be made; the message is for a person."""


@dataclass(frozen=True)
class System:
    """Addresses and names. `environment` is what an instance is given; `query_group`, what its groups begin with."""

    kafka: str
    postgres: str
    mongo: str | None
    topics: dict[str, str]
    group: str
    query_group: str
    logs: Path
    environment: dict[str, str]


@asynccontextmanager
async def system(addresses: Mapping[str, str], session_ms: int) -> AsyncIterator[System]:
    """Make everything and give it; without an address of MongoDB, the write side's part.

    What was made is removed again, unless the run failed: then it is there to look at. Raises SoakError.
    """
    name = f"soak-{uuid4().hex[:8]}"
    database = name.replace("-", "_")
    logs = STATE / "logs" / name
    logs.mkdir(parents=True)
    mongo = addresses.get("mongo")
    made = System(
        kafka=addresses["kafka"],
        postgres=urlsplit(addresses["postgres"])._replace(path=f"/{database}").geturl(),
        mongo=urlunsplit(urlsplit(mongo)._replace(path=f"/{database}")) if mongo else None,
        topics={kind: f"{name}.{kind}" for kind in KINDS},
        group=name,
        query_group=f"{name}-query",
        logs=logs,
        environment={},
    )
    made = replace(made, environment=environment_of(made, session_ms))
    await _statement(addresses["postgres"], f'CREATE DATABASE "{database}"')
    await run(made, "notes_command", "migrate")
    await run(made, "notes_command", "topics")
    if mongo:
        await run(made, "notes_query", "topics")
    yield made
    await _statement(addresses["postgres"], f'DROP DATABASE "{database}" WITH (FORCE)')
    if mongo:
        async with AsyncMongoClient[dict[str, Any]](mongo) as client:
            await client.drop_database(database)
    admin = AIOKafkaAdminClient(bootstrap_servers=made.kafka)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        await admin.delete_topics([topic for topic in made.topics.values() if topic in known])
    finally:
        await admin.close()


def environment_of(made: System, session_ms: int) -> dict[str, str]:
    """Return what the instances are given.

    Not the command-service's address: the read side asks it for snapshots, and has to do without them here.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("NOTES_")}
    return {
        **inherited,
        "NOTES_KAFKA": made.kafka,
        "NOTES_POSTGRES": made.postgres,
        **({"NOTES_MONGO": made.mongo} if made.mongo else {}),
        "NOTES_COMMAND_GROUP": made.group,
        "NOTES_QUERY_GROUP": made.query_group,
        "NOTES_KAFKA_SESSION_MS": str(session_ms),
        **{f"NOTES_TOPIC_{kind.upper()}": topic for kind, topic in made.topics.items()},
    }


async def run(made: System, module: str, *arguments: str, may_fail: bool = False) -> tuple[int, str]:
    """Run a command of a service to its end; return its exit code and what it printed. Raises SoakError."""
    log = made.logs / f"{module}-{arguments[0]}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            env=made.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
        printed, _ = await process.communicate()
    code = await process.wait()
    if code and not may_fail:
        raise SoakError(f"`{module} {' '.join(arguments)}` failed: {log}")
    return code, printed.decode()


async def _statement(address: str, text: str) -> None:
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(text)
    finally:
        await connection.close()
