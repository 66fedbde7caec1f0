"""The run itself: load, kills and readers side by side, until everything has arrived on both sides."""

import asyncio
import sys
import time
from argparse import Namespace
from collections.abc import Mapping

from tools.soak.checks import check
from tools.soak.findings import Findings
from tools.soak.instances import Instances, Kind, running
from tools.soak.plan import Plan
from tools.soak.read_checks import check_reads
from tools.soak.read_store import check_read_store
from tools.soak.readers import Reader
from tools.soak.report import Course, show
from tools.soak.system import SoakError, System, system
from tools.soak.upstream import publish
from tools.soak.waiting import all_done, caught_up

TELL_EVERY = 20_000
WARM = 10_000
"""Commands after which memory has to stay as it is."""


async def soak(arguments: Namespace, addresses: Mapping[str, str]) -> None:
    """Run everything once. Raises SoakError if anything was found."""
    plan, findings, course = Plan(arguments.commands, arguments.seed), Findings(), Course()
    counts = {Kind.COMMAND: arguments.instances}
    if arguments.read_side:
        counts |= {Kind.PROJECTOR: arguments.projectors, Kind.API: arguments.apis}
    async with system(addresses, arguments.session_ms) as made:
        async with running(made, counts) as instances:
            apis = instances.of(Kind.API)
            readers = [Reader(api, plan, findings) for api in apis for _ in range(arguments.readers)]
            try:
                await load(arguments, made, plan, instances, readers=readers, course=course)
            except TimeoutError:
                print(f"Not done within {arguments.at_most:g} s; what is missing follows.", file=sys.stderr)
                course.seconds = course.seconds or arguments.at_most
                await asyncio.gather(*(one.start() for one in instances.members if not one.ready))
            course.measure("end", instances)
            if apis:
                await check_reads(apis, plan, findings)
        await check(made, plan, findings)
        if apis:
            await check_read_store(made, findings)
        show(plan, findings, course, instances)
        if not findings.well:
            raise SoakError(f"Topics, database {made.postgres} and logs in {made.logs} are kept.")


async def load(
    arguments: Namespace, made: System, plan: Plan, instances: Instances, *, readers: list[Reader], course: Course
) -> None:
    """Publish, kill, read, and wait for the end. Raises SoakError, TimeoutError."""
    began, done = time.monotonic(), asyncio.Event()
    told = 0
    left = {"begin": min(WARM, arguments.commands // 10), "middle": arguments.commands // 2}

    def tell(sent: int) -> None:
        nonlocal told
        for moment in [moment for moment, at in left.items() if sent >= at]:
            del left[moment]
            course.measure(moment, instances)
        if sent // TELL_EVERY > told:
            told = sent // TELL_EVERY
            print(f"  {time.monotonic() - began:6.1f} s  {sent:,} published, {len(instances.kills)} kills", flush=True)

    async def work() -> None:
        await publish(made, plan.records(), arguments.rate, tell)
        await all_done(made)
        course.seconds = time.monotonic() - began
        if readers:
            await caught_up(made)
            course.behind_s = time.monotonic() - began - course.seconds
        done.set()

    try:
        async with asyncio.timeout(arguments.at_most), asyncio.TaskGroup() as group:
            group.create_task(work())
            if arguments.kill_every:
                group.create_task(instances.kill_in_turn(arguments.kill_every, done))
            for reader in readers:
                group.create_task(reader.run(done))
    except* SoakError as errors:
        raise SoakError(str(errors.exceptions[0])) from errors
