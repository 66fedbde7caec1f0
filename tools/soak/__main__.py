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

from tools.sandbox import publish, sandbox
from tools.soak.checks import Findings, check_answers, check_read_store, check_write_side
from tools.soak.pair import MODULES, all_done, caught_up, kill_in_turn, running
from tools.soak.plan import Plan
from tools.soak.readers import Reader
from tools.stack.errors import StackError
from tools.stack.folder import REPOSITORY
from tools.stack.native import servers

STATE: Final = REPOSITORY / ".stack" / "soak"
OF_EACH: Final = 2
READERS: Final = 2
"""Clients of each API."""
SESSION_MS: Final = 6_000
"""When Kafka misses a killed instance."""
KILL_EVERY_S: Final = 20.0
"""After all were ready again."""
AT_MOST_S: Final = 7200.0
TELL_EVERY: Final = 20_000
FIRST: Final = 10_000
"""Commands after which memory has to stay as it is."""


async def soak(commands: int, addresses: Mapping[str, str]) -> None:
    """Run everything once: publish, kill, read, wait for both sides, count. Raises StackError if anything was found."""
    plan, findings, done = Plan(commands, seed=1), Findings(), asyncio.Event()
    kills, began = list[float](), 0.0
    async with sandbox(addresses, STATE / "logs", session_ms=SESSION_MS) as made:
        async with running(made, dict.fromkeys(MODULES, OF_EACH)) as instances:
            members = [one for each in instances.values() for one in each]

            def tell(sent: int) -> None:
                if sent in (FIRST, plan.commands) or sent % TELL_EVERY == 0:
                    memory = ", ".join(f"{one.name} {one.memory_mb:.0f} MB" for one in members if one.ready)
                    seconds = time.monotonic() - began
                    print(f"  {seconds:6.1f} s  {sent:,} published, {len(kills)} kills; {memory}", flush=True)

            async def work() -> None:
                await publish(made, plan.records(), tell)
                await all_done(made)
                seconds = time.monotonic() - began
                print(f"time          {seconds:.1f} s, {plan.commands / seconds:,.0f} commands/s")
                await caught_up(made)
                print(f"read side     had everything {time.monotonic() - began - seconds:.1f} s later")
                done.set()

            began = time.monotonic()
            try:
                async with asyncio.timeout(AT_MOST_S), asyncio.TaskGroup() as group:
                    group.create_task(work())
                    group.create_task(kill_in_turn(instances, KILL_EVERY_S, done, kills))
                    for api in instances["api"] * READERS:
                        group.create_task(Reader(api, plan, findings).run(done))
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from errors
            except TimeoutError:
                findings.add("lost", f"not done within {AT_MOST_S:g} s")
                await asyncio.gather(*(one.start() for one in members if not one.ready))
            tell(plan.commands)
            lives = ", ".join(f"{one.name} {one.lives - 1} times" for one in members)
            print(f"kill -9       {lives}; after {', '.join(f'{at:.0f}' for at in kills) or '-'} s")
            await check_answers(instances["api"], plan, findings)
        await check_write_side(made, plan, findings)
        await check_read_store(made, findings)
        print(f"commands      {plan.commands:,}: {plan.duplicates:,} duplicates, {plan.poison:,} poisoned")
        findings.show()
        if not findings.well:
            raise StackError(f"Topics, database {made.postgres} and logs in {made.logs} are kept.")


def main() -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--commands", type=int, default=200_000, help="to publish, duplicates and poison among them")
    commands: int = parser.parse_args().commands
    if not 1 <= commands <= 2_000_000:
        parser.error("--commands is between 1 and 2,000,000")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the instances are stopped
    try:
        with servers(STATE, at_once=True) as addresses:
            asyncio.run(soak(commands, addresses))
    except (StackError, OSError, httpx.HTTPError) as error:
        print(error or repr(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
