"""`python -m notes_command`."""

import argparse
import sys
from types import MappingProxyType

from notes_chassis.memory import uncollected

with uncollected():
    from notes_chassis.settings import run
    from notes_command import cli


def serve(arguments: argparse.Namespace) -> int:
    """Run the service; return the exit code."""
    # Imported here, because HTTP takes long to import and no other command needs it.
    with uncollected():
        from notes_command import app  # noqa: PLC0415

    return app.serve(arguments)


COMMANDS = MappingProxyType(
    {
        "serve": serve,
        "migrate": cli.migrate,
        "topics": cli.topics,
        "dead-letters": cli.dead_letters,
        "outbox": cli.outbox,
        "republish": cli.republish,
    }
)

if __name__ == "__main__":
    sys.exit(run(COMMANDS, cli.parser().parse_args()))
