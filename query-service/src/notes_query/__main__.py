"""`python -m notes_query`: arguments only."""

import sys
from os import _exit as end_at_once

from notes_chassis.memory import uncollected

# PyMongo looks for pyOpenSSL, which is not installed, and then takes `ssl`; the look loads `cryptography`, 9 MB.
sys.modules["pymongo.pyopenssl_context"] = None  # type: ignore[assignment]

with uncollected():
    from notes_chassis.settings import run
    from notes_query.commands import RUN, parse

if __name__ == "__main__":
    arguments = parse()
    code = run(RUN, arguments)
    if arguments.command != "serve":
        # Its stores are closed. Python would take apart all that was imported first, which is half of a short command.
        sys.stdout.flush()
        sys.stderr.flush()
        end_at_once(code)
    sys.exit(code)
