"""Commands per second, from Kafka to a readable document."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tools.bench.contestants import OURS, Contestant, Usage, running, watched
from tools.bench.documents import AT_MOST_S, Documents, check_api
from tools.bench.workload import Author, Workload
from tools.sandbox import publish

WARM_UP = 200


@dataclass(frozen=True, slots=True)
class Figure:
    """One run: commands, commands per second, and what every process took.

    `behind`: events that the background projector had not done when the last note was visible; `drained`: events per
    second that it did from then on.
    """

    commands: int
    rate: float
    usage: Usage
    behind: int = 0
    drained: float = 0.0


Write = Callable[[Author, Workload], Workload]
"""Makes the workload from an author and the notes stored before."""


async def measure(
    addresses: dict[str, str], contestant: Contestant, write: Write, stored: int = 0, body: int = 300
) -> Figure:
    """Return the figure of one run, with `stored` notes before it and bodies of `body` characters.

    The commands are on Kafka before the clock starts: the contestant has joined its groups and is warm, the process
    that takes commands is held meanwhile. The clock runs from its release, which is before the first record that it
    consumes, until the last note is at its last version in the read store. Then every document is compared. Raises
    RunError: the run failed, or a document is wrong.
    """
    author = Author(seed=7, body_length=body)
    async with running(addresses, contestant) as processes:
        documents = Documents(processes.made, contestant)
        before = author.creates(WARM_UP + stored)
        await publish(processes.made, before.records)
        await documents.wait_for(before.last_notes(), processes, AT_MOST_S)
        workload = write(author, before)
        processes.hold()
        await publish(processes.made, workload.records)
        last, drained = workload.last_notes(), (0, 0.0)
        async with watched(processes.all_pids) as usage:
            started = time.perf_counter()
            processes.release()
            ended = await documents.wait_for(last, processes, AT_MOST_S)
        if contestant is OURS:
            events = len(before.records) + len(workload.records)
            drained = await documents.drain(events, processes, AT_MOST_S)
            await check_api(processes.query.url, workload)
        await documents.check(workload)
        return Figure(len(workload.records), len(workload.records) / (ended - started), usage, *drained)
