"""`serve`: run the service."""

from typing import Any


def add(commands: Any) -> None:
    """Add the command's grammar."""
    parser = commands.add_parser("serve", help="run the projector and the HTTP API until SIGTERM")
    parser.add_argument("--only", choices=("projector", "api"), help="run this half alone")
