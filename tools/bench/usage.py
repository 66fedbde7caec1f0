"""CPU seconds and memory of processes, children included."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psutil

EVERY_S = 0.5


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
    """What processes take between `begin` and `end`; `memory` has the samples of resident MB."""

    pids: Mapping[str, int]
    before: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)

    def begin(self) -> None:
        """Read the clocks."""
        self.before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}

    def end(self) -> None:
        """Read them again."""
        self.cpu = {name: round(cpu_seconds(pid) - self.before[name], 2) for name, pid in self.pids.items()}
        self.look()

    def look(self) -> None:
        """Take one sample of the memory."""
        for name, pid in self.pids.items():
            with suppress(psutil.NoSuchProcess):
                self.memory.setdefault(name, []).append(psutil.Process(pid).memory_info().rss / 2**20)

    async def follow(self) -> None:
        """Take samples until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def entry(self) -> dict[str, dict[str, float]]:
        """Return CPU seconds and peak memory (MB) of each, as they are reported."""
        return {"cpu_s": self.cpu, "peak_mb": self.peaks()}

    def peaks(self) -> dict[str, float]:
        """Return the highest sample of each, in MB."""
        return {name: round(max(samples), 1) for name, samples in self.memory.items()}


@asynccontextmanager
async def watched(pids: Mapping[str, int]) -> AsyncIterator[Usage]:
    """Give what these processes take from here on; it is complete when the block ends."""
    usage = Usage(pids)
    usage.begin()
    sampling = asyncio.create_task(usage.follow())
    try:
        yield usage
    finally:
        usage.end()
        sampling.cancel()
