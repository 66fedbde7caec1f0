"""`python -m notes_command`: arguments only."""

import sys

from notes_command import main
from notes_command.entrypoints.cli.arguments import parser


def run() -> int:
    """Run the command; return the exit code."""
    arguments = parser().parse_args()
    return main.COMMANDS[arguments.command](arguments)


if __name__ == "__main__":
    sys.exit(run())
