"""A replica set of three: its primary steps down, is killed, and one secondary lags behind while readers ask it."""

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from query_support.fixtures import Running, Samples, Send, Settings

from tests.harness.waiting import eventually
from tools.stack.errors import MissingError
from tools.stack.mongo import find_mongod
from tools.stack.ports import any_port

LAGGING = 2
OPTIONS = ("--replSet", "failover", "--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25")
PARAMETERS = ("enableTestCommands=1", "diagnosticDataCollectionEnabled=false")


@dataclass
class ReplicaSet:
    """Three members; the last never becomes primary, and stops applying when it is told to."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: [any_port() for _ in range(3)])
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, number: int) -> None:
        data = self.folder / str(number)
        data.mkdir(exist_ok=True)
        argv = [find_mongod(), *OPTIONS, "--oplogSize", "50", "--dbpath", str(data)]
        argv += ["--port", str(self.ports[number]), "--logpath", str(data / "log"), "--logappend"]
        argv += [word for parameter in PARAMETERS for word in ("--setParameter", parameter)]
        self.processes[number] = subprocess.Popen(argv, stdout=subprocess.DEVNULL)

    async def initiate(self) -> None:
        members = [{"_id": at, "host": f"127.0.0.1:{port}"} for at, port in enumerate(self.ports)]
        members[LAGGING] |= {"priority": 0, "tags": {"lagging": "yes"}}
        settings = {"electionTimeoutMillis": 1_000, "heartbeatIntervalMillis": 200}
        wanted = {"_id": "failover", "members": members, "settings": settings}
        while True:
            try:
                await asyncio.to_thread(self.ask, 0, "replSetInitiate", wanted)
                break
            except OperationFailure:  # another member is still starting
                await asyncio.sleep(0.05)
        await eventually(self.primary, lambda found: found is not None)

    def ask(self, number: int, command: str, value: Any = 1, **more: Any) -> Any:
        client: MongoClient[Any]
        with MongoClient("127.0.0.1", self.ports[number], directConnection=True, timeoutMS=20_000) as client:
            return client.admin.command(command, value, **more)

    def copy_from_the_primary_alone(self, primary: int) -> None:
        """Who copies from one that lags would lag, too, and then no majority would have what is written."""
        config = self.ask(primary, "replSetGetConfig")["config"]
        config["version"] += 1
        config["settings"]["chainingAllowed"] = False
        self.ask(primary, "replSetReconfig", config)

    async def primary(self) -> int | None:
        for number, process in self.processes.items():
            if process.poll() is None and (await asyncio.to_thread(self.ask, number, "hello"))["isWritablePrimary"]:
                return number
        return None

    async def new_primary(self, but: int) -> int:
        return await eventually(self.primary, lambda found: found not in (None, but))

    def kill(self, number: int) -> None:
        self.processes[number].kill()
        self.processes[number].wait()

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"mongodb://{hosts}/notes?replicaSet=failover"


@pytest.fixture
def members(tmp_path: Path) -> Iterator[ReplicaSet]:
    replica_set = ReplicaSet(tmp_path)
    try:
        for number in range(3):
            replica_set.start(number)
    except MissingError as error:
        pytest.skip(str(error))
    yield replica_set
    for number in replica_set.processes:
        replica_set.kill(number)


@pytest.fixture
async def replica_set(members: ReplicaSet) -> ReplicaSet:
    async with asyncio.timeout(30):
        await members.initiate()
    return members


async def test_a_primary_that_steps_down_or_is_killed_costs_no_event_and_no_reader_an_error(
    *, samples: Samples, settings: Settings, running: Running, send: Send, replica_set: ReplicaSet
) -> None:
    note, answers, version = samples.note, [], 1

    async with running(settings.model_copy(update={"mongo": replica_set.url})) as client:

        async def read_on() -> None:
            while True:
                answers.append(await client.get(f"/notes/{note}"))
                await asyncio.sleep(0.01)

        async def write_on() -> None:
            nonlocal version
            while True:
                version += 1
                await send(settings.topic_events, samples.record(samples.updated(version=version)))
                await asyncio.sleep(0.01)

        async def readable(wanted: int) -> bool:
            answer = await client.get(f"/notes/{note}?min_version={wanted}&wait=10")
            return (answer.status_code, answer.headers.get("consistency")) == (200, "current")

        await send(settings.topic_events, samples.record(samples.created()))
        await eventually(lambda: readable(1))
        going_on = [asyncio.create_task(read_on()), asyncio.create_task(write_on())]
        first = await replica_set.new_primary(but=-1)
        try:
            await asyncio.to_thread(
                replica_set.ask, first, "replSetStepDown", 60, secondaryCatchUpPeriodSecs=0, force=True
            )
        except PyMongoError:
            assert await replica_set.primary() != first
        second = await replica_set.new_primary(but=first)
        await eventually(lambda at=version: readable(at))
        await asyncio.to_thread(replica_set.ask, first, "replSetFreeze", 0)  # it may be elected again
        replica_set.kill(second)
        await replica_set.new_primary(but=second)
        await eventually(lambda at=version: readable(at))
        for task in going_on:
            task.cancel()
        await asyncio.wait(going_on)
        assert not any(task.exception() for task in going_on if not task.cancelled())
        sent = version if await readable(version) else version - 1  # the last may not have been sent
        assert await readable(sent)
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert all(answer.headers.get("retry-after") for answer in answers if answer.status_code == 503)
    assert not any(answer.headers.get("consistency") == "parked" for answer in answers)
    with MongoClient(replica_set.url, tz_aware=True) as mongo:
        database: Any = mongo.get_default_database()
        assert database["dead_letters"].count_documents({}) == 0
        assert database["missing_versions"].count_documents({}) == 0
        assert database["notes_v2_1_parked"].count_documents({"kind": "gap"}) == 0


async def test_a_secondary_that_lags_makes_readers_late_and_no_gap(
    *, samples: Samples, settings: Settings, running: Running, send: Send, replica_set: ReplicaSet
) -> None:
    note, topic = samples.note, settings.topic_events
    options = "&readPreference=secondaryPreferred&readPreferenceTags=lagging:yes"

    async def stop(mode: str) -> None:
        await asyncio.to_thread(replica_set.ask, LAGGING, "configureFailPoint", "rsSyncApplyStop", mode=mode)

    async with running(settings.model_copy(update={"mongo": replica_set.url + options})) as client:

        async def shows(version: int) -> bool:
            answer = await client.get(f"/notes/{note}")
            return bool(answer.status_code == 200 and answer.json()["version"] == version)

        await send(topic, samples.record(samples.created()), samples.record(samples.updated(version=2)))
        await eventually(lambda: shows(2))
        primary = await replica_set.new_primary(but=-1)
        await asyncio.to_thread(replica_set.copy_from_the_primary_alone, primary)
        await stop("alwaysOn")
        with MongoClient(replica_set.url) as mongo:
            documents: Any = mongo.get_default_database()["notes_v2_1"]
            for version in range(3, 9):  # one batch each: every one of them reads what the one before has stored
                await send(topic, samples.record(samples.updated(version=version)))

                async def stored(wanted: int = version) -> bool:
                    found = await asyncio.to_thread(documents.find_one, {"_id": note})
                    return bool(found["version"] == wanted)

                await eventually(stored)
            held = mongo.get_default_database()["notes_v2_1_parked"].count_documents({})
        assert held == 0
        assert await shows(2)
        # Who asks for a version reads where it is.
        current = await client.get(f"/notes/{note}?min_version=8&wait=5")
        assert (current.json()["version"], current.headers["consistency"]) == (8, "current")
        await stop("off")
        await eventually(lambda: shows(8))
