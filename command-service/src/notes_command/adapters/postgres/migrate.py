"""Bring the schema up to date with Alembic. The migrations are in the wheel, beside this file."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

# Instances that start at once must not migrate at once; the number is arbitrary and fixed.
_LOCK = "SELECT pg_advisory_lock(7240116113)"


async def migrate(url: str, revision: str = "head") -> None:
    """Upgrade the database to a revision; waits while another instance is at it. Raises what the driver raises."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.exec_driver_sql(_LOCK)  # ends with the connection
        await connection.commit()
        await connection.run_sync(_upgrade, revision)
        await connection.commit()
    await engine.dispose()


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
