"""What old inbox rows are found by, built while the pipeline writes. Expands only."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    # Building waits for transactions that are open: they end by themselves, and nobody waits behind it.
    "SET lock_timeout = 0",
    # What a killed migration leaves is an index that is never used.
    "DROP INDEX CONCURRENTLY IF EXISTS inbox_at",
    # Not a block range index: its ranges keep their oldest time for ever, once new rows take the place of deleted ones.
    "CREATE INDEX CONCURRENTLY inbox_at ON inbox (at)",
)


def upgrade() -> None:
    """Expand. Outside of a transaction, so each statement may be repeated."""
    with op.get_context().autocommit_block():
        for statement in STATEMENTS:
            op.execute(statement)
