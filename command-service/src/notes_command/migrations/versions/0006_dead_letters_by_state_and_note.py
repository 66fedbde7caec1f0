"""What dead letters are listed and counted by, built while the pipeline writes. Expands only."""

from alembic import op

from notes_command.migrations import unlimited

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    # As 0003: what a killed migration leaves is made anew.
    "DROP INDEX CONCURRENTLY IF EXISTS dead_letters_by_state",
    "CREATE INDEX CONCURRENTLY dead_letters_by_state ON dead_letters (state, at)",
    "DROP INDEX CONCURRENTLY IF EXISTS dead_letters_by_note",
    "CREATE INDEX CONCURRENTLY dead_letters_by_note ON dead_letters (note_id, at) WHERE note_id IS NOT NULL",
)


def upgrade() -> None:
    """Expand. Outside of a transaction, so each statement may be repeated."""
    with unlimited():
        for statement in STATEMENTS:
            op.execute(statement)
