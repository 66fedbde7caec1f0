"""Brings the schema up to date with Alembic. The wheel has the migrations in this folder.

Migrations only add: everything that the release before reads and writes stays. So instances of both releases can run at
the same time, in any order of deployment. The older release finds nothing to do here.
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

# Only one instance may migrate at a time. The number is arbitrary and fixed. The lock is polled, not waited for: CREATE
# INDEX CONCURRENTLY waits for every statement that runs, and an instance that waited for the lock would run one.
_LOCK: Final = "SELECT pg_try_advisory_lock(7240116113)"
_TRY_AGAIN_S: Final = 0.2
# An ALTER TABLE that waits for a lock makes every later statement wait behind it. So it gives up and is tried again.
# Set before each migration, since all of them share one session.
LOCK_TIMEOUT: Final = "SET lock_timeout = '5s'"


async def migrate(url: str, revision: str = "head") -> None:
    """Upgrade the database to a revision. Wait while another instance migrates.

    Raises StoreError; Refused for errors that only a person can mend.
    """
    engine = single_engine(url)
    try:
        with refusals(), translated():
            async with engine.connect() as connection:
                await _lock(connection)  # released when the connection is closed
                await connection.exec_driver_sql(LOCK_TIMEOUT)
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
    # Alembic interpolates the option, so a % of the path has to be doubled.
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
    """Run the block without lock timeout and outside of a transaction: for CREATE and DROP INDEX CONCURRENTLY.

    These wait for open transactions, which end by themselves, and nobody waits behind them. The statements of the
    migration before the block are committed.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        try:
            yield
        finally:
            op.execute(LOCK_TIMEOUT)
