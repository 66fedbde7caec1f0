"""Who is measured, and how each is started."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from tools.bench.room import BenchError, Room, run

START_S = 60.0
STOP_S = 30.0


@dataclass(frozen=True)
class Contestant:
    """Two processes: who takes commands, who makes documents. `steps`: what runs to its end before."""

    name: str
    command: tuple[str, ...]
    query: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...] = ()


OURS = Contestant("ours", ("notes_command", "serve"), ("notes_query", "serve"), (("notes_command", "migrate"),))
NAIVE = Contestant("naive", ("tools.bench.naive.command",), ("tools.bench.naive.query",))
BARE = Contestant("bare", ("tools.bench.bare.command",), ("tools.bench.bare.query",))


@dataclass(slots=True)
class Running:
    """The processes of a contestant, by role, and where they answer over HTTP if they do."""

    room: Room
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)

    def pause(self, role: str) -> None:
        """Let a process do nothing (SIGSTOP)."""
        self.processes[role].send_signal(signal.SIGSTOP)

    def resume(self, role: str) -> None:
        """Let it go on (SIGCONT)."""
        self.processes[role].send_signal(signal.SIGCONT)

    def pids(self) -> dict[str, int]:
        """Return the process ids by role."""
        return {role: process.pid for role, process in self.processes.items()}

    def check(self) -> None:
        """Raise BenchError if one of the processes has ended."""
        for role, process in self.processes.items():
            if process.returncode is not None:
                raise BenchError(f"the {role} process ended: {self.room.logs / role}.log")


@asynccontextmanager
async def running(contestant: Contestant, room: Room) -> AsyncIterator[Running]:
    """Run a contestant until the block is left."""
    for module, *arguments in contestant.steps:
        await run(room, module, *arguments)
    made = Running(room)
    try:
        for role, argv in (("command", contestant.command), ("query", contestant.query)):
            port = _free_port()
            made.urls[role] = f"http://127.0.0.1:{port}"
            environment = {**room.environment, f"NOTES_{role.upper()}_PORT": str(port)}
            with (room.logs / f"{role}.log").open("wb") as log:
                made.processes[role] = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", *argv, env=environment, stdout=log, stderr=log
                )
        if contestant is OURS:
            async with asyncio.timeout(START_S):
                await asyncio.gather(*(_ready(made, url) for url in made.urls.values()))
        yield made
    finally:
        await asyncio.gather(*map(_stop, made.processes.values()))


async def _ready(made: Running, url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        while True:
            made.check()
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # not listening yet: asked again below
            await asyncio.sleep(0.05)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def all_pids(room: Room, processes: Running) -> dict[str, int]:
    """Return the ids of the contestant's processes and of the servers, by name."""
    return {**processes.pids(), **server_pids(room)}


def server_pids(room: Room) -> dict[str, int]:
    """Return the process ids of the servers on this machine, by name, found by the ports that they listen on."""
    listening = {
        connection.laddr.port: connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr
    }
    ports = {
        "kafka": int(room.kafka.rsplit(":", 1)[1]),
        "postgres": int(room.postgres.split("@", 1)[-1].split("/", 1)[0].rsplit(":", 1)[1]),
        "mongo": int(room.mongo.split("//", 1)[1].split("/", 1)[0].rsplit(":", 1)[1]),
    }
    return {name: listening[port] for name, port in ports.items() if port in listening}
