"""`python -m tools.bench`: measure everything, write `.bench/latest.json`, print a table, draw the plots."""

import argparse
import asyncio
import json
import platform
import sys
import time
from importlib.metadata import version

import psutil

from tools.bench import plots
from tools.bench.contestants import STATE
from tools.bench.plan import FULL, QUICK, everything
from tools.bench.results import show
from tools.sandbox import RunError
from tools.stack.errors import StackError
from tools.stack.folder import REPOSITORY
from tools.stack.native import servers

FOLDER = REPOSITORY / ".bench"
PACKAGES = ("faststream", "aiokafka", "sqlalchemy", "asyncpg", "motor", "pydantic", "fastapi", "uvloop")


def main() -> int:
    """Return the exit code: 0 if everything was measured, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each: a smoke test, not a figure")
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY", help="measure these alone")
    arguments = parser.parse_args()
    began = time.monotonic()

    def told(what: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True)

    try:
        with servers(STATE) as addresses:
            results = asyncio.run(everything(addresses, QUICK if arguments.quick else FULL, arguments.only, told))
    except (RunError, StackError) as error:
        print(f"no figures: {error}", file=sys.stderr)
        return 1
    results["run"] = {
        "quick": arguments.quick,
        "seconds": round(time.monotonic() - began),
        "machine": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": psutil.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30),
        },
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "latest.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    show(results)
    for drawn in plots.draw(results, FOLDER):
        print(drawn)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
