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

import httpx

from tools.soak.course import soak
from tools.soak.system import STATE, SoakError
from tools.stack.errors import StackError
from tools.stack.lend import servers


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--commands", type=int, default=200_000, help="records to publish, duplicates and poison among them"
    )
    parser.add_argument("--instances", type=int, default=2, help="of the command-service")
    parser.add_argument(
        "--read-side", action=argparse.BooleanOptionalAction, default=True, help="run the query-service as well"
    )
    parser.add_argument("--projectors", type=int, default=2)
    parser.add_argument("--apis", type=int, default=2)
    parser.add_argument("--readers", type=int, default=2, help="clients of each API")
    parser.add_argument(
        "--kill-every", type=float, default=20.0, metavar="SECONDS", help="after all were ready; 0: none"
    )
    parser.add_argument("--rate", type=int, default=0, help="records a second, at most; 0: as fast as it goes")
    parser.add_argument("--at-most", type=float, default=1800.0, metavar="SECONDS", help="give up after that long")
    parser.add_argument("--session-ms", type=int, default=6_000, help="when Kafka misses a killed instance")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not 1 <= arguments.commands <= 2_000_000:
        parser.error("--commands is between 1 and 2,000,000")
    for name in ("instances", "projectors", "apis", "readers"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} is at least 1")
    return arguments


def main() -> int:
    """Run; return the exit code."""
    arguments = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the instances are stopped
    try:
        needed = ("kafka", "postgres", "mongo") if arguments.read_side else ("kafka", "postgres")
        with servers(STATE, needed, at_once=True) as addresses:
            asyncio.run(soak(arguments, addresses))
    except (SoakError, StackError, OSError, httpx.TransportError) as error:
        print(error or repr(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
