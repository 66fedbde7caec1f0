"""Bring the schema up to date with Alembic. The migrations are in the wheel, in this folder.

Migrations only expand: what the release before this one reads and writes stays as it is. So instances of both can serve
at the same time, in any order of deploying, and the one that is older finds nothing to do here.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from alembic import command, op
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from notes_command.postgres import refusals, single_engine, translated

log = structlog.get_logger()

# Instances that start at once must not migrate at once; the number is arbitrary and fixed. Tried, not waited for: an
# index that is built concurrently waits for every statement that runs, and one that waits for us would be one of them.
_LOCK: Final = "SELECT pg_try_advisory_lock(7240116113)"
_TRY_AGAIN_S: Final = 0.2
# A change of a table that waits for a lock makes every later statement wait behind it: better to come again.
# Set before each migration, since all of them share one session.
PATIENCE: Final = "SET lock_timeout = '5s'"


async def migrate(url: str, revision: str = "head") -> None:
    """Upgrade the database to a revision; waits while another instance is at it.

    Raises StoreError, and Refused for what waiting will not change.
    """
    engine = single_engine(url)
    try:
        with refusals(), translated():
            async with engine.connect() as connection:
                await _lock(connection)  # ends with the connection
                await connection.exec_driver_sql(PATIENCE)
                await connection.commit()
                await connection.run_sync(_upgrade, revision)
                await connection.commit()
    finally:
        await engine.dispose()


async def _lock(connection: AsyncConnection) -> None:
    waited = False
    while not (await connection.exec_driver_sql(_LOCK)).scalar():
        await connection.commit()
        if not waited:
            log.info("another instance migrates, waiting for it")
            waited = True
        await asyncio.sleep(_TRY_AGAIN_S)


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    # The option is a template in which a % of the path would begin a name.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = MigrationContext.configure(connection).get_current_revision()
    connection.commit()  # Alembic begins and ends the transactions of the migrations
    if present is not None and present not in known:
        log.info("the schema is of a newer release, nothing to do", schema=present)
        return
    command.upgrade(config, revision)
    log.info("the schema is up to date", was=present)


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
