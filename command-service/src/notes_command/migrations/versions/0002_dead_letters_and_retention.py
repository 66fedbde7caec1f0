"""What dead letters are looked for by, what was parked and let go, how far a republishing got. Expands only."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    "ALTER TABLE dead_letters ADD COLUMN type text",
    "CREATE INDEX dead_letters_at ON dead_letters (at)",
    "CREATE INDEX outbox_let_go ON outbox (position) WHERE parked_at IS NOT NULL AND parked_because IS NULL",
    "CREATE TABLE republishing (name text PRIMARY KEY, after_note uuid NOT NULL, moved_at timestamptz NOT NULL)",
)


def upgrade() -> None:
    """Expand."""
    for statement in STATEMENTS:
        op.execute(statement)
