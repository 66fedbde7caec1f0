"""`python -m notes_command`: arguments only."""

import sys

from notes_chassis.settings import SettingsError
from notes_chassis.terminal import complain
from notes_command import app as main
from notes_command.cli import parser


def run() -> int:
    """Run the command; return the exit code."""
    arguments = parser().parse_args()
    try:
        return main.COMMANDS[arguments.command](arguments)
    except SettingsError as error:
        complain(str(error))
        return 2


if __name__ == "__main__":
    sys.exit(run())
