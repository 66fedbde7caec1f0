"""Who asked, in the inbox and on the way out. Expands only."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    "ALTER TABLE inbox ADD COLUMN IF NOT EXISTS authtype text, ADD COLUMN IF NOT EXISTS authid text",
    "ALTER TABLE outbox ADD COLUMN IF NOT EXISTS authtype text, ADD COLUMN IF NOT EXISTS authid text",
)


def upgrade() -> None:
    """Expand."""
    for statement in STATEMENTS:
        op.execute(statement)
