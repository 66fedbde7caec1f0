"""Several dead letters may have been at one place, of a topic made anew or of two clusters. Expands only.

`record` is empty for the first of a place, and the record's digest for every other one. The release before knows only
the first, and goes on as it did.
"""

from alembic import op

from notes_command.migrations import unlimited

revision = "0004"
down_revision = "0003"

COLUMN = "ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS record text NOT NULL DEFAULT ''"
PLACES = (
    "DROP INDEX CONCURRENTLY IF EXISTS dead_letters_records",
    'CREATE UNIQUE INDEX CONCURRENTLY dead_letters_records ON dead_letters (topic, partition, "offset", record)',
)
SWAP = """
ALTER TABLE dead_letters DROP CONSTRAINT dead_letters_pkey,
                         ADD CONSTRAINT dead_letters_pkey PRIMARY KEY USING INDEX dead_letters_records
"""


def upgrade() -> None:
    """Expand. The index is built outside of a transaction, so what is before the swap may be repeated."""
    op.execute(COLUMN)
    with unlimited():
        for statement in PLACES:
            op.execute(statement)
    op.execute(SWAP)
