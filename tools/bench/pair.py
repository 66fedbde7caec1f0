"""Who is measured: two processes in a sandbox of their own, what a reader finds, and what all of it takes."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
from pymongo import AsyncMongoClient

from tools.bench.results import Entry
from tools.bench.workload import Workload
from tools.sandbox import Program, Sandbox, publish, sandbox, started
from tools.stack.errors import StackError
from tools.stack.folder import REPOSITORY

STATE = REPOSITORY / ".stack" / "bench"
CONTESTANTS = {
    "ours": (("notes_command", "serve"), ("notes_query", "serve")),
    "naive": (("tools.bench.naive", "command"), ("tools.bench.naive", "query")),
    "bare": (("tools.bench.bare", "command"), ("tools.bench.bare", "query")),
    "outbox": (("tools.bench.bare", "outbox"), ("tools.bench.bare", "query")),
}
AT_MOST_S = 180.0
DRAINED_S = 600.0
LOOK_S = 0.01
SAMPLE_S = 0.5
READ = 50
CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Pair:
    """A contestant's two processes, and its documents in MongoDB, looked at without asking the processes."""

    made: Sandbox
    command: Program
    query: Program
    database: Any
    ours: bool

    async def store(self, workload: Workload, *, held: bool = False) -> tuple[float, Entry]:
        """Send commands; return the seconds until the last note can be read, and what the processes took meanwhile.

        `held`: the process that takes commands is stopped until all of them are on Kafka, and the clock starts when it
        goes on. Raises StackError.
        """
        if held:
            self.command.running.send_signal(signal.SIGSTOP)
        await publish(self.made, workload.records)
        async with watched(self.pids) as usage:
            started = time.perf_counter()
            if held:
                self.command.running.send_signal(signal.SIGCONT)
            wanted, notes = workload.last_notes(), await self.documents("notes")

            async def visible() -> bool:
                query = {"_id": {"$in": list(wanted)}}
                found = {one["_id"]: one["version"] async for one in notes.find(query, {"version": 1})}
                return all(found.get(note_id, 0) >= version for note_id, version in wanted.items())

            await self.until(visible, "visible notes")
            seconds = time.perf_counter() - started
        return seconds, usage

    async def until(
        self, true: Callable[[], Awaitable[bool]], what: str, look_s: float = LOOK_S, at_most_s: float = AT_MOST_S
    ) -> None:
        """Wait until it is true. Raises StackError: that took too long, or a process has ended."""
        deadline = time.perf_counter() + at_most_s
        while not await true():
            assert self.command.running
            assert self.query.running
            if time.perf_counter() > deadline:
                raise StackError(f"no {what} within {at_most_s:g} s: {self.made.logs}")
            await asyncio.sleep(look_s)

    async def build(self, read_model: str) -> int:
        """Return the number of the active build of a read model of ours."""
        found = await self.database.active_builds.find_one({"read_model": read_model})
        return int(found["build"])

    async def documents(self, read_model: str) -> Any:
        """Return the collection that readers get."""
        if not self.ours:
            return self.database[read_model]
        build = await self.database.builds.find_one({"_id": await self.build(read_model)})
        return self.database[f"{read_model}_v{build['versions'][read_model]}_{build['_id']}"]

    async def drain(self, events: int) -> Entry:
        """Wait until the background projector has done `events` too; return how far behind it was, and its rate.

        Its history has one document for each event. Raises StackError.
        """
        history, started = await self.documents("history"), time.perf_counter()
        behind = events - await history.estimated_document_count()

        async def done() -> bool:
            return bool(await history.estimated_document_count() >= events)

        await self.until(done, "end of the background projector's work", at_most_s=DRAINED_S)
        rate = behind / (time.perf_counter() - started)
        return {"events_behind_at_the_end": behind, "drained_events_per_s": round(rate)}

    async def check(self, workload: Workload) -> None:
        """Compare version and body of every note, and read some of ours over HTTP. Raises StackError."""
        notes, ids = await self.documents("notes"), list(workload.expected)
        for part in (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)):
            cursor = notes.find({"_id": {"$in": part}}, {"version": 1, "body": 1})
            found = {one["_id"]: (one["version"], one["body"]) async for one in cursor}
            for note_id in part:
                if found.get(note_id) != workload.expected[note_id]:
                    raise StackError(f"the note {note_id} is not as it must be")
        async with httpx.AsyncClient(base_url=self.query.url) as client:
            for note_id in ids[:: max(1, len(ids) // READ)] if self.ours else []:
                answer = await client.get(f"/notes/{note_id}")
                if answer.status_code != 200 or answer.json()["version"] != workload.expected[note_id][0]:
                    raise StackError(f"GET /notes/{note_id} answered {answer.status_code}: {answer.text[:200]}")

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by role, the servers' too: those on this machine are found by the ports that they listen on."""
        listening = {
            connection.laddr.port: connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr
        }
        addresses = {"kafka": f"//{self.made.kafka}", "postgres": self.made.postgres, "mongo": self.made.mongo}
        ports = {name: urlsplit(address).port for name, address in addresses.items()}
        own = {"command": self.command.running.pid, "query": self.query.running.pid}
        return own | {name: listening[port] for name, port in ports.items() if port in listening}


@asynccontextmanager
async def running(addresses: Mapping[str, str], name: str = "ours") -> AsyncIterator[Pair]:
    """Run a contestant until the block is left. Raises StackError."""
    ours = name == "ours"
    async with sandbox(addresses, STATE / "logs", migrated=ours) as made, AsyncMongoClient[Any](made.mongo) as client:
        command, query = (Program(made, *one) for one in zip(("command", "query"), CONTESTANTS[name], strict=True))
        async with started(command, query, answers=ours):
            yield Pair(made, command, query, client.get_default_database(), ours)


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process and of its living and ended children."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[: 4 if process is root else 2])
    return total


@asynccontextmanager
async def watched(pids: Mapping[str, int]) -> AsyncIterator[Entry]:
    """Give what these processes take from here on: `cpu_s`, and `peak_mb` resident. It is complete in the end."""
    before, peaks = {name: cpu_seconds(pid) for name, pid in pids.items()}, dict.fromkeys(pids, 0.0)
    usage: Entry = {"cpu_s": {}, "peak_mb": peaks}

    def look() -> None:
        for name, pid in pids.items():
            with suppress(psutil.NoSuchProcess):
                peaks[name] = max(peaks[name], round(psutil.Process(pid).memory_info().rss / 2**20, 1))

    async def follow() -> None:
        while True:
            look()
            await asyncio.sleep(SAMPLE_S)

    sampling = asyncio.create_task(follow())
    try:
        yield usage
    finally:
        sampling.cancel()
        look()
        usage["cpu_s"] |= {name: round(cpu_seconds(pid) - before[name], 2) for name, pid in pids.items()}
