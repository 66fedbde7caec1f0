"""How long a migration waits for a lock. A change of a table that waits makes every later statement wait behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alembic import op

# Better to give up and come again. Set before each migration, since all of them share one session.
PATIENCE: Final = "SET lock_timeout = '5s'"


@contextmanager
def unlimited() -> Iterator[None]:
    """Wait for as long as it takes, outside of a transaction: for indexes that are made or dropped CONCURRENTLY.

    Those wait for transactions that are open, which end by themselves, and nobody waits behind them. What the migration
    has done before is committed.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        try:
            yield
        finally:
            op.execute(PATIENCE)
