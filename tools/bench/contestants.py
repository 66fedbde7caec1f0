"""Who is measured, how each is started, and what it takes: CPU seconds and memory, the servers' too."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil

from tools.sandbox import Program, Sandbox, sandbox
from tools.stack.folder import REPOSITORY

STATE = REPOSITORY / ".stack" / "bench"
EVERY_S = 0.5


@dataclass(frozen=True)
class Contestant:
    """Two processes: who takes commands, who makes documents."""

    name: str
    command: tuple[str, ...]
    query: tuple[str, ...]


OURS = Contestant("ours", ("notes_command", "serve"), ("notes_query", "serve"))
NAIVE = Contestant("naive", ("tools.bench.naive.command",), ("tools.bench.naive.query",))
BARE = Contestant("bare", ("tools.bench.bare.command",), ("tools.bench.bare.query",))


@dataclass(frozen=True, slots=True)
class Running:
    """A contestant's two processes, in a sandbox of its own."""

    made: Sandbox
    command: Program
    query: Program

    def hold(self) -> None:
        """Let the process that takes commands do nothing (SIGSTOP)."""
        self.command.running.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on (SIGCONT)."""
        self.command.running.send_signal(signal.SIGCONT)

    def check(self) -> None:
        """Raise RunError if one of the processes has ended."""
        assert self.command.running
        assert self.query.running

    @property
    def pids(self) -> dict[str, int]:
        """The process ids by role."""
        return {"command": self.command.running.pid, "query": self.query.running.pid}

    @property
    def all_pids(self) -> dict[str, int]:
        """Those of the servers on this machine too, found by the ports that they listen on."""
        listening = {
            connection.laddr.port: connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr
        }
        addresses = {"kafka": f"//{self.made.kafka}", "postgres": self.made.postgres, "mongo": self.made.mongo}
        ports = {name: urlsplit(address).port for name, address in addresses.items()}
        return self.pids | {name: listening[port] for name, port in ports.items() if port in listening}


@asynccontextmanager
async def running(addresses: Mapping[str, str], contestant: Contestant) -> AsyncIterator[Running]:
    """Run a contestant until the block is left. Raises RunError."""
    async with sandbox(addresses, STATE / "logs", migrated=contestant is OURS) as made:
        programs = [Program(made, "command", contestant.command), Program(made, "query", contestant.query)]
        try:
            await asyncio.gather(*(one.start(answers=contestant is OURS) for one in programs))
            yield Running(made, *programs)
        finally:
            await asyncio.gather(*(one.stop() for one in programs))


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process and of its living and ended children."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
                if process is root:
                    total += times.children_user + times.children_system
    return total


@dataclass(slots=True)
class Usage:
    """What processes took: CPU seconds, and samples of resident MB."""

    cpu: dict[str, float] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)

    @property
    def peaks(self) -> dict[str, float]:
        """The highest sample of each, in MB."""
        return {name: round(max(samples), 1) for name, samples in self.memory.items()}

    def entry(self) -> dict[str, dict[str, float]]:
        """Return both as they are reported."""
        return {"cpu_s": self.cpu, "peak_mb": self.peaks}


@asynccontextmanager
async def watched(pids: Mapping[str, int]) -> AsyncIterator[Usage]:
    """Give what these processes take from here on; it is complete when the block ends."""
    usage, before = Usage(), {name: cpu_seconds(pid) for name, pid in pids.items()}

    def look() -> None:
        for name, pid in pids.items():
            with suppress(psutil.NoSuchProcess):
                usage.memory.setdefault(name, []).append(psutil.Process(pid).memory_info().rss / 2**20)

    async def follow() -> None:
        while True:
            look()
            await asyncio.sleep(EVERY_S)

    sampling = asyncio.create_task(follow())
    try:
        yield usage
    finally:
        usage.cpu = {name: round(cpu_seconds(pid) - before[name], 2) for name, pid in pids.items()}
        look()
        sampling.cancel()
