"""`python -m notes_query serve` runs the service; `topics` creates its Kafka topics."""

import argparse
import sys

from notes_query import main


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m notes_query", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run the projector and the HTTP API until SIGTERM")
    topics = commands.add_parser("topics", help="create the topics that are missing")
    topics.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for Kafka (default 60)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    chosen = parse()
    sys.exit(main.serve() if chosen.command == "serve" else main.topics(chosen.timeout))
