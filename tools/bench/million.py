"""One long run: memory over many commands, and what a command and a read cost as the notes become more."""

import random
import time
from dataclasses import dataclass, field

from tools.bench.contestants import OURS, Running, running
from tools.bench.documents import Documents
from tools.bench.read_api import requests_per_second
from tools.bench.throughput import AT_MOST_S
from tools.bench.workload import Author
from tools.sandbox import publish

CHUNK = 20_000
SETTLED = 10_000
"""Commands after which the memory of a service counts as its normal one."""
PROBE = 10_000
READ_S = 2.0
READ_OF = 5
"""One note in so many is read, the oldest and the newest alike."""
DRAINED_S = 600.0


@dataclass(frozen=True, slots=True)
class Stage:
    """With `notes` stored: commands per second, and `GET /notes/{id}` per second, of each round."""

    notes: int
    commands_per_s: list[float] = field(default_factory=list)
    reads_per_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Million:
    """`memory`: (commands carried out, resident MB) of each service, in order."""

    stages: list[Stage] = field(default_factory=list)
    memory: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def growth_of_memory(self) -> float:
        """Return how far the highest sample lies above the one after the first ten thousand; the worse service."""
        return max(
            max(mb for _, mb in samples) / next(mb for count, mb in samples if count >= SETTLED) - 1
            for samples in self.memory.values()
        )


async def measure(addresses: dict[str, str], stages: list[int], rounds: int) -> Million:
    """Return the figures of a run that stores as many notes as the last stage says. Raises RunError."""
    author, found = Author(seed=13), Million()
    async with running(addresses, OURS) as processes:
        run = _Run(processes, Documents(processes.made, OURS), author, found)
        for stage in stages:
            while run.stored < stage:
                await run.store(min(CHUNK, stage - run.stored))
            found.stages.append(await run.probe(stage, rounds))
    return found


@dataclass(slots=True)
class _Run:
    processes: Running
    documents: Documents
    author: Author
    found: Million
    stored: int = 0
    ids: list[str] = field(default_factory=list)

    async def store(self, count: int, *, held: bool = False) -> float:
        """Store that many notes; return the seconds until the last one is visible.

        `held`: they count from the release of what takes commands, which is held until all are on Kafka.
        """
        workload = self.author.creates(count)
        if held:
            self.processes.hold()
        await publish(self.processes.made, workload.records)
        started = time.perf_counter()
        if held:
            self.processes.release()
        ended = await self.documents.wait_for(workload.last_notes(), self.processes, AT_MOST_S)
        self.stored += count
        self.ids += list(workload.expected)[::READ_OF]
        for name, program in (("command", self.processes.command), ("query", self.processes.query)):
            self.found.memory.setdefault(name, []).append((self.stored, program.memory_mb))
        return ended - started

    async def probe(self, notes: int, rounds: int) -> Stage:
        stage = Stage(notes)
        await self.drain()
        for number in range(rounds):
            seconds = await self.store(PROBE, held=True)
            stage.commands_per_s.append(PROBE / seconds)
            await self.drain()
            random.Random(number).shuffle(self.ids)  # noqa: S311 - data for a measurement
            reads = await requests_per_second(self.processes.query.url, self.ids, READ_S)
            stage.reads_per_s.append(reads)
        return stage

    async def drain(self) -> None:
        """Wait for the side lane: what is measured is the cost beside so many notes, not beside what is behind."""
        await self.documents.drain(self.stored, self.processes, DRAINED_S)
