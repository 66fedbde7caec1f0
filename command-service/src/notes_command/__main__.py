"""`python -m notes_command`: arguments only."""

import sys

from notes_chassis.settings import run
from notes_command.app import COMMANDS
from notes_command.cli import parser

if __name__ == "__main__":
    sys.exit(run(COMMANDS, parser().parse_args()))
