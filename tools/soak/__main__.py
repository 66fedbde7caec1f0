"""Two instances of the command-service under load, one killed every so often; then everything is counted.

    python -m tools.soak --commands 200000

Runs on the servers that NOTES_KAFKA and NOTES_POSTGRES name, or starts native ones. The exit code is 0 only if
nothing was lost, doubled, out of order or wrong.
"""

import argparse
import asyncio
import signal
import sys
import time
from contextlib import suppress

from tools.soak.checks import Findings, check
from tools.soak.instances import Instances, running
from tools.soak.plan import Plan
from tools.soak.system import SoakError, System, servers, system
from tools.soak.upstream import all_done, publish
from tools.stack.errors import StackError

SHOWN = 10
TELL_EVERY = 20_000


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--commands", type=int, default=200_000, help="records to publish, duplicates and poison among them"
    )
    parser.add_argument("--instances", type=int, default=2)
    parser.add_argument("--kill-every", type=float, default=20.0, metavar="SECONDS", help="0: kill none")
    parser.add_argument("--rate", type=int, default=0, help="records a second, at most; 0: as fast as it goes")
    parser.add_argument("--at-most", type=float, default=1800.0, metavar="SECONDS", help="give up after that long")
    parser.add_argument("--session-ms", type=int, default=6_000, help="when Kafka misses a killed instance")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not 1 <= arguments.commands <= 2_000_000:
        parser.error("--commands is between 1 and 2,000,000")
    return arguments


async def load(arguments: argparse.Namespace, made: System, plan: Plan, instances: Instances) -> float:
    """Publish, kill, and wait for the end; return the seconds that took. Raises SoakError, TimeoutError."""
    began, told = time.monotonic(), 0

    def tell(sent: int) -> None:
        nonlocal told
        if sent // TELL_EVERY > told:
            told = sent // TELL_EVERY
            print(f"  {time.monotonic() - began:6.1f} s  {sent:,} published, {len(instances.kills)} kills", flush=True)

    async def work() -> None:
        await publish(made, plan.records(), arguments.rate, tell)
        await all_done(made)

    tasks = [asyncio.create_task(work())]
    if arguments.kill_every:
        tasks.append(asyncio.create_task(instances.kill_in_turn(arguments.kill_every)))
    try:
        async with asyncio.timeout(arguments.at_most):
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, SoakError):
                await task
    return time.monotonic() - began


async def soak(arguments: argparse.Namespace, addresses: dict[str, str]) -> bool:
    """Run everything once; return whether all was well."""
    plan = Plan(arguments.commands, arguments.seed)
    async with system(addresses, arguments.session_ms) as made:
        async with running(made, arguments.instances) as instances:
            try:
                seconds = await load(arguments, made, plan, instances)
            except TimeoutError:
                print(f"Not done within {arguments.at_most:g} s; what is missing follows.", file=sys.stderr)
                seconds = arguments.at_most
        findings = await check(made, plan)
        show(plan, findings, seconds, instances)
        if not findings.well:
            raise SoakError(f"Topics, database {made.postgres} and logs in {made.logs} are kept.")
    return True


def show(plan: Plan, findings: Findings, seconds: float, instances: Instances) -> None:
    """Print the report."""
    print(f"commands      {plan.commands:,}: {plan.duplicates:,} duplicates, {plan.poison:,} poisoned")
    print(f"time          {seconds:.1f} s, {plan.commands / seconds:,.0f} commands/s")
    print(f"kill -9       {len(instances.kills)}, after {', '.join(f'{at:.0f}' for at in instances.kills) or '-'} s")
    print(
        f"arrived       {findings.events:,} events, {findings.outcomes:,} outcomes, {findings.letters:,} dead letters"
    )
    print(f"repeats       {findings.repeats:,}, each the same as its first, or it is counted as doubled")
    kinds = {
        "lost": findings.lost,
        "doubled": findings.doubled,
        "out of order": findings.disordered,
        "wrong": findings.wrong,
    }
    for kind, found in kinds.items():
        print(f"{kind:<13} {len(found)}")
        for sentence in found[:SHOWN]:
            print(f"    {sentence}")


def main() -> int:
    """Run; return the exit code."""
    arguments = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the instances are stopped
    try:
        with servers() as addresses:
            asyncio.run(soak(arguments, addresses))
    except (SoakError, StackError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
