"""`topics`: create the topics that are missing."""

from typing import Any


def add(commands: Any) -> None:
    """Add the command's grammar."""
    parser = commands.add_parser("topics", help="create the topics that are missing")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for Kafka (60)")
