"""`python -m notes_query`: arguments only."""

import sys

from notes_chassis.memory import uncollected

with uncollected():
    from notes_chassis.settings import run
    from notes_query.commands import RUN, parse

if __name__ == "__main__":
    sys.exit(run(RUN, parse()))
