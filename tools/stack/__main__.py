"""The command line: python -m tools.stack up|down|status|logs."""

import argparse
import logging
import os
import sys
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

from tools.stack.errors import StackError
from tools.stack.folder import STACK, Folder
from tools.stack.progress import Steps
from tools.stack.state import VARIABLES, shell_lines, shown
from tools.stack.status import show_logs, show_status
from tools.stack.up import down_with_left, up

HELP = {
    "up": "start servers and services, and keep them running",
    "down": "stop what up started, and what demo, soak and bench left; the data stay",
    "status": "what runs, where, and whether it is healthy",
    "logs": "the last lines of the logs",
}


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = {name: commands.add_parser(name, help=text) for name, text in HELP.items()}
    for sub in one.values():
        sub.add_argument("--state", type=Path, default=STACK.root, help="folder for state, data and logs")
    one["down"].add_argument("--purge", action="store_true", help="remove data and logs too")
    one["logs"].add_argument("service", nargs="?", help=f"one of {', '.join(VARIABLES)}, or another log's name")
    one["logs"].add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    """Carry out one command; return the exit code."""
    folder = Folder(arguments.state.resolve())
    if arguments.command == "status":
        return show_status(folder)
    if arguments.command == "logs":
        return show_logs(folder, arguments.service, follow=arguments.follow)
    with Steps() as steps:
        if arguments.command == "down":
            if not down_with_left(folder, steps, purge=arguments.purge):
                steps.say("Nothing was up.")
            return 0
        state = up(folder, steps)
    print(shown(shell_lines(state.addresses)), end="")
    if state.addresses.get("auth") == "oidc":
        steps.say(
            'Closed: `make token SCOPE="notes.read notes.write"` prints a token; send it as Authorization: Bearer'
        )
    steps.say(f"The page: {state.addresses['web']}")
    how = "; `make down` stops it" if folder.root == STACK.root else ""
    steps.say(f"Up ({state.backend}). These lines, with passwords, are in {folder.env_file}{how}.")
    if getproxies().get("http") and not proxy_bypass("127.0.0.1"):
        steps.say("http_proxy is set: give no_proxy=127.0.0.1 to curl, which would ask the proxy for these addresses.")
    return 0


def main() -> None:
    """Show what goes wrong as text."""
    arguments = parse()
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # it warns of passwords in the clear, on loopback as well
    try:
        sys.exit(run(arguments))
    except (StackError, OSError) as error:  # a full disk, files of another user
        print(error, file=sys.stderr)
        if arguments.command == "up" and any((arguments.state / "run").glob("*.json")):
            print("What did start keeps running; `make down` stops it.", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        interrupted = "\nInterrupted. `make up` goes on from here, `make down` stops what runs."
        print(interrupted, file=sys.stderr, flush=True)
        os._exit(130)  # threads that still wait for a server must not hold us up


if __name__ == "__main__":
    main()
