"""Commands per second, from Kafka to a readable document."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tools.bench.contestants import OURS, Contestant, running, watched
from tools.bench.documents import Documents, check_api
from tools.bench.workload import Author, Workload
from tools.sandbox import publish

AT_MOST_S = 180.0
WARM_UP = 200


@dataclass(slots=True)
class Figure:
    """One run: commands, seconds, CPU seconds and peak memory (MB) of every process.

    `side_behind`: events that the side lane had not done when the last note was visible; `side_rate`: events per
    second that it did from then on.
    """

    commands: int
    seconds: float
    cpu: dict[str, float] = field(default_factory=dict)
    peak_mb: dict[str, float] = field(default_factory=dict)
    side_behind: int = 0
    side_rate: float = 0.0

    @property
    def rate(self) -> float:
        """Commands per second."""
        return self.commands / self.seconds


Write = Callable[[Author, Workload], Workload]


async def measure(
    addresses: dict[str, str], contestant: Contestant, write: Write, stored: int = 0, body: int = 300
) -> Figure:
    """Return the figure of one run.

    The commands are on Kafka before the clock starts: the contestant has joined its groups and is warm, the process
    that takes commands is held meanwhile. The clock runs from its release, which is before the first record that it
    consumes, until the last note is at its last version in the read store. Then every document is compared.

    Args:
        addresses: of the servers.
        contestant: who.
        write: makes the workload from an author and the notes stored before.
        stored: notes that are stored, and readable, before.
        body: characters of a note's body.

    Raises:
        RunError: the run failed, or a document is wrong.

    """
    author = Author(seed=7, body_length=body)
    async with running(addresses, contestant) as processes:
        documents = Documents(processes.made, contestant)
        before = author.creates(WARM_UP + stored, "stored before")
        await publish(processes.made, before.records)
        await documents.wait_for(before.last_notes(), processes, AT_MOST_S)
        workload = write(author, before)
        processes.hold()
        await publish(processes.made, workload.records)
        last = workload.last_notes()
        async with watched(processes.all_pids) as usage:
            started = time.perf_counter()
            processes.release()
            ended = await documents.wait_for(last, processes, AT_MOST_S)
        figure = Figure(len(workload.records), ended - started, usage.cpu, usage.peaks)
        if contestant is OURS:
            events = len(before.records) + len(workload.records)
            figure.side_behind, figure.side_rate = await documents.drain(events, processes, AT_MOST_S)
            await check_api(processes.query.url, workload)
        await documents.check(workload)
        return figure
