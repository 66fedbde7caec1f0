"""`python -m notes_query`: arguments only."""

import sys

from notes_chassis.settings import SettingsError
from notes_chassis.terminal import complain
from notes_query.commands import RUN, parse


def run() -> int:
    """Run the command; return the exit code."""
    arguments = parse()
    try:
        return RUN[arguments.command](arguments)
    except SettingsError as error:
        complain(str(error))
        return 2


if __name__ == "__main__":
    sys.exit(run())
