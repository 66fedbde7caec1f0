"""The whole pair under load, a process of each kind killed every so often; then everything is counted.

    python -m tools.soak --commands 200000

Two instances of the command-service, two projectors, two APIs of the query-service and their readers. Runs on the
servers that NOTES_KAFKA, NOTES_POSTGRES and NOTES_MONGO name, or starts native ones. The exit code is 0 only if
nothing was lost, doubled, out of order, wrong or parked, and every document of the read side is what it has to be.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from typing import Final

import httpx

from tools.sandbox import RunError, Sandbox, publish, sandbox
from tools.soak.checks import check
from tools.soak.instances import Instances, Kind, running
from tools.soak.plan import Plan
from tools.soak.read_checks import check_read_store, check_reads
from tools.soak.readers import Reader
from tools.soak.report import Course, Findings, show
from tools.soak.waiting import all_done, caught_up
from tools.stack.errors import StackError
from tools.stack.folder import REPOSITORY
from tools.stack.native import servers

STATE: Final = REPOSITORY / ".stack" / "soak"
OF_EACH: Final = 2
READERS: Final = 2
"""Clients of each API."""
SESSION_MS: Final = 6_000
"""When Kafka misses a killed instance."""
TELL_EVERY: Final = 20_000
WARM: Final = 10_000
"""Commands after which memory has to stay as it is."""


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option("--commands", type=int, default=200_000, help="records to publish, duplicates and poison among them")
    option("--kill-every", type=float, default=20.0, metavar="SECONDS", help="after all were ready")
    option("--at-most", type=float, default=7200.0, metavar="SECONDS", help="give up after that long")
    option("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not 1 <= arguments.commands <= 2_000_000:
        parser.error("--commands is between 1 and 2,000,000")
    return arguments


async def soak(arguments: argparse.Namespace, addresses: Mapping[str, str]) -> None:
    """Run everything once. Raises RunError if anything was found."""
    plan, findings, course = Plan(arguments.commands, arguments.seed), Findings(), Course()
    async with sandbox(addresses, STATE / "logs", session_ms=SESSION_MS) as made:
        async with running(made, dict.fromkeys(Kind, OF_EACH)) as instances:
            apis = instances.by_kind[Kind.API]
            readers = [Reader(api, plan, findings) for api in apis for _ in range(READERS)]
            try:
                await load(arguments, made, plan, instances, readers=readers, course=course)
            except TimeoutError:
                print(f"Not done within {arguments.at_most:g} s; what is missing follows.", file=sys.stderr)
                course.seconds = course.seconds or arguments.at_most
                await asyncio.gather(*(one.start() for one in instances.members if not one.ready))
            course.measure("end", instances)
            await check_reads(apis, plan, findings)
        await check(made, plan, findings)
        await check_read_store(made, findings)
        show(plan, findings, course, instances)
        if not findings.well:
            raise RunError(f"Topics, database {made.postgres} and logs in {made.logs} are kept.")


async def load(
    arguments: argparse.Namespace,
    made: Sandbox,
    plan: Plan,
    instances: Instances,
    *,
    readers: list[Reader],
    course: Course,
) -> None:
    """Publish, kill, read, and wait for the end on both sides. Raises RunError, TimeoutError."""
    began, done = time.monotonic(), asyncio.Event()
    left = {"begin": min(WARM, arguments.commands // 10), "middle": arguments.commands // 2}

    def tell(sent: int) -> None:
        for moment in [moment for moment, at in left.items() if sent >= at]:
            del left[moment]
            course.measure(moment, instances)
        if sent % TELL_EVERY == 0:
            print(f"  {time.monotonic() - began:6.1f} s  {sent:,} published, {len(instances.kills)} kills", flush=True)

    async def work() -> None:
        await publish(made, plan.records(), tell)
        await all_done(made)
        course.seconds = time.monotonic() - began
        await caught_up(made)
        course.behind_s = time.monotonic() - began - course.seconds
        done.set()

    try:
        async with asyncio.timeout(arguments.at_most), asyncio.TaskGroup() as group:
            group.create_task(work())
            group.create_task(instances.kill_in_turn(arguments.kill_every, done))
            for reader in readers:
                group.create_task(reader.run(done))
    except* RunError as errors:
        raise RunError(str(errors.exceptions[0])) from errors


def main() -> int:
    """Run; return the exit code."""
    arguments = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the instances are stopped
    try:
        with servers(STATE, at_once=True) as addresses:
            asyncio.run(soak(arguments, addresses))
    except (RunError, StackError, OSError, httpx.TransportError) as error:
        print(error or repr(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
