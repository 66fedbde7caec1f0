"""`python -m notes_command`: arguments only."""

import argparse
import sys

from notes_command import main


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="notes_command", description="The write side of Notes.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="consume commands, relay the outbox, serve HTTP")
    for name, text in (("migrate", "bring the schema up to date"), ("topics", "create the missing topics")):
        sub = commands.add_parser(name, help=text)
        sub.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for the server (60)")
    return parser.parse_args()


def run() -> int:
    """Run the command; return the exit code."""
    arguments = _arguments()
    if arguments.command == "serve":
        return main.serve()
    return main.migrate(arguments.timeout) if arguments.command == "migrate" else main.topics(arguments.timeout)


if __name__ == "__main__":
    sys.exit(run())
