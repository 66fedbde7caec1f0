"""`python -m notes_query`: arguments only."""

import sys

from notes_chassis.memory import uncollected

# PyMongo looks for pyOpenSSL, which is not installed, and then takes `ssl`; the look loads `cryptography`, 9 MB.
sys.modules["pymongo.pyopenssl_context"] = None  # type: ignore[assignment]

with uncollected():
    from notes_chassis.settings import run
    from notes_query.commands import RUN, parse

if __name__ == "__main__":
    sys.exit(run(RUN, parse()))
