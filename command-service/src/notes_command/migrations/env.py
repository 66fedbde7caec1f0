"""Alembic's entry: runs on the connection that `migrate` hands over, each migration in a transaction of its own."""

from typing import Any

from alembic import context
from alembic.migration import MigrationContext

from notes_command.migrations import LOCK_TIMEOUT


def restore(ctx: MigrationContext, *_: Any, **__: Any) -> None:
    """Begin the next migration with the patience that all have, whatever this one has set."""
    assert ctx.connection is not None
    ctx.connection.exec_driver_sql(LOCK_TIMEOUT)


context.configure(
    connection=context.config.attributes["connection"], transaction_per_migration=True, on_version_apply=restore
)
with context.begin_transaction():
    context.run_migrations()
