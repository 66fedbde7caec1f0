"""What old inbox rows are found by, built while the pipeline writes. Expands only."""

from alembic import op

from notes_command.migrations import unlimited

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    # What a killed migration leaves is an index that is never used.
    "DROP INDEX CONCURRENTLY IF EXISTS inbox_at",
    # Not a block range index: its ranges keep their oldest time for ever, once new rows take the place of deleted ones.
    "CREATE INDEX CONCURRENTLY inbox_at ON inbox (at)",
)


def upgrade() -> None:
    """Expand. Outside of a transaction, so each statement may be repeated."""
    with unlimited():
        for statement in STATEMENTS:
            op.execute(statement)
