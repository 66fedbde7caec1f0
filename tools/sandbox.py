"""What `bench` and `soak` run on: topics and databases of one run's own, and programs as processes that use them."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import psutil
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import AsyncMongoClient

from notes_contracts import Written, partition_of
from notes_contracts.topics import PARTITIONS
from tools.stack.errors import StackError
from tools.stack.health import trouble
from tools.stack.ports import any_port

KINDS: Final = ("commands", "events", "outcomes", "command_dead_letters", "event_dead_letters")
READY_S: Final = 60.0
STOP_S: Final = 60.0
CHUNK: Final = 500


@dataclass(frozen=True)
class Sandbox:
    """Addresses and names of one run. `query_group`: what the names of the read side's groups begin with."""

    kafka: str
    postgres: str
    mongo: str
    topics: dict[str, str]
    group: str
    query_group: str
    logs: Path
    session_ms: int = 15_000  # as the services have it

    @property
    def environment(self) -> dict[str, str]:
        """What programs are given.

        Not the command-service's address: the read side asks it for snapshots, and has to do without them here.
        """
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("NOTES_")},
            "NOTES_AUTH": "none",
            "NOTES_COMMAND_OPS_PORT": "0",
            "NOTES_QUERY_OPS_PORT": "0",
            "NOTES_KAFKA": self.kafka,
            "NOTES_POSTGRES": self.postgres,
            "NOTES_MONGO": self.mongo,
            "NOTES_COMMAND_GROUP": self.group,
            "NOTES_QUERY_GROUP": self.query_group,
            "NOTES_KAFKA_SESSION_MS": str(self.session_ms),
            **{f"NOTES_TOPIC_{kind.upper()}": topic for kind, topic in self.topics.items()},
        }


@asynccontextmanager
async def sandbox(
    addresses: Mapping[str, str], logs: Path, *, migrated: bool = True, **settings: Any
) -> AsyncIterator[Sandbox]:
    """Make topics and databases, `migrated` with the tables of ours.

    They are removed again, unless the run failed: then they are there to look at. Raises StackError with the log.
    """
    name = f"{logs.parent.name}_{uuid4().hex[:8]}"
    (logs / name).mkdir(parents=True)
    postgres, mongo = (urlsplit(addresses[key])._replace(path=f"/{name}").geturl() for key in ("postgres", "mongo"))
    topics = {kind: f"{name}.{kind}" for kind in KINDS}
    made = Sandbox(addresses["kafka"], postgres, mongo, topics, name, f"{name}-query", logs / name, **settings)
    async with connected(addresses["postgres"]) as server:
        await server.execute(f'CREATE DATABASE "{name}"')
        steps = [("notes_command", "topics"), ("notes_query", "topics"), ("notes_command", "migrate")]
        await asyncio.gather(*(run(made, *step) for step in (steps if migrated else steps[:2])))
        yield made
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    async with AsyncMongoClient[dict[str, Any]](mongo) as client:
        await client.drop_database(name)
    async with administrator(made.kafka) as admin:
        await admin.delete_topics(list(topics.values()))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection to PostgreSQL."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def administrator(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Give a client for what is no record."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def run(made: Sandbox, module: str, *arguments: str, may_fail: bool = False) -> tuple[int, str]:
    """Run a module to its end; return its exit code and what it printed. Raises StackError."""
    log = made.logs / f"{module}-{arguments[0]}.log"
    argv = [sys.executable, "-m", module, *arguments]
    with log.open("wb") as errors:
        work = partial(subprocess.run, argv, env=made.environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        done = await asyncio.to_thread(work, check=False)
    if done.returncode and not may_fail:
        raise StackError(f"`{module} {' '.join(arguments)}` failed: {log}")
    return done.returncode, done.stdout


@dataclass(slots=True)
class Program:
    """One process at a time; its address and its log stay over its lives. `ready`: whether it has to answer now.

    `settings` are its own, over those of the run.
    """

    made: Sandbox
    name: str
    argv: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=any_port)
    lives: int = 0
    ready: bool = False
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it answers, if it does."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> asyncio.subprocess.Process:
        """The process. Raises StackError if it has ended by itself."""
        if self.process is None or self.process.returncode is not None:
            code = self.process and self.process.returncode
            raise StackError(f"{self.name} ended by itself, with exit code {code}: {self.made.logs / self.name}.log")
        return self.process

    @property
    def memory_mb(self) -> float:
        """What it holds resident, in MiB. Raises StackError."""
        return float(psutil.Process(self.running.pid).memory_info().rss) / 2**20

    async def start(self, *, answers: bool = True) -> None:
        """Start a life, and wait until it is ready if it `answers` over HTTP. Raises StackError."""
        ports = {f"NOTES_{side}_PORT": str(self.port) for side in ("COMMAND", "QUERY")}
        environment = {**self.made.environment, **ports, **self.settings}
        with (self.made.logs / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *self.argv), env=environment, stdout=log, stderr=log
            )
        self.lives += 1
        if answers:
            try:
                async with asyncio.timeout(READY_S):
                    while await asyncio.to_thread(trouble, self.name, self.url):
                        assert self.running
                        await asyncio.sleep(0.05)
            except TimeoutError:
                raise StackError(f"{self.name} is not ready after {READY_S:g} s: {self.made.logs}") from None
            self.ready = True

    async def kill(self) -> None:
        """End it as a crash does (SIGKILL). Raises StackError if it had ended by itself."""
        process, self.ready = self.running, False
        process.kill()
        await process.wait()

    async def stop(self) -> None:
        """End it gracefully (SIGTERM), or at once if that takes too long."""
        self.ready = False
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGCONT)  # it may be held
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def started(*programs: Program, answers: bool = True) -> AsyncIterator[None]:
    """Have these at work until the block is left; `answers` as `Program.start` has it. Raises StackError."""
    try:
        await asyncio.gather(*(one.start(answers=answers) for one in programs))
        yield
    finally:
        await asyncio.gather(*(one.stop() for one in programs))


async def publish(made: Sandbox, records: Iterable[Written], told: Callable[[int], None] = lambda _: None) -> None:
    """Send commands in order, and return when all are acknowledged; `told` hears how many are."""
    producer = AIOKafkaProducer(
        bootstrap_servers=made.kafka, enable_idempotence=True, linger_ms=5, max_batch_size=512 * 1024
    )
    sent, pending = 0, list[asyncio.Future[Any]]()
    async with producer:
        for record in records:
            pending.append(await send(producer, made.topics["commands"], record))
            sent += 1
            if sent % CHUNK == 0:
                await asyncio.gather(*pending)
                pending.clear()
                told(sent)
        if pending:
            await asyncio.gather(*pending)
            told(sent)


async def send(producer: AIOKafkaProducer, topic: str, record: Written) -> asyncio.Future[Any]:
    """Give a record to a producer; return what is done once it is acknowledged."""
    acknowledged: asyncio.Future[Any] = await producer.send(
        topic, record.value, record.key, partition=partition_of(record.key, PARTITIONS), headers=list(record.headers)
    )
    return acknowledged
