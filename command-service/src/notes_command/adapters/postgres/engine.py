"""Connections to PostgreSQL: the pool, and single connections for what a pool cannot do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_TIMEOUT_S: Final = 5
COMMAND_TIMEOUT_S: Final = 60

# A connection whose client was cut off or stopped must not hold row locks that another instance waits for.
SESSION: Final = {
    "application_name": "notes-command",
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "30s",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "4s",
    # Plans of prepared statements are kept. One made while the tables were small reads them whole, and goes on doing
    # so when they have grown, until the next ANALYZE: seen to cost 15 times as much. Everything here has an index.
    "enable_seqscan": "off",
    "jit": "off",
}


def create_engine(url: str, pool_size: int = 5, **session: str) -> AsyncEngine:
    """Return a pooled engine for a `postgresql://` URL; `session` adds to its settings. Connects lazily."""
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=False,  # a dead connection shows as Unavailable, and the caller tries again anyway
        connect_args=_connect_arguments(**session),
    )


@asynccontextmanager
async def borrowed(engine: AsyncEngine) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """Give a connection of the pool as the driver has it, in autocommit.

    For what runs all the time: SQLAlchemy's way around a statement costs as much CPU as the statement, twice over.
    Raises OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError.
    """
    async with engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        try:
            yield raw
        except BaseException:
            if raw.is_closed() or raw.is_in_transaction():
                await connection.invalidate()
            raise


async def connect(url: str) -> "asyncpg.Connection[Any]":
    """Return a connection outside of any pool, for LISTEN. Raises OSError, TimeoutError, asyncpg.PostgresError."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return await asyncpg.connect(plain, **_connect_arguments())


def _connect_arguments(**session: str) -> dict[str, Any]:
    return {
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": COMMAND_TIMEOUT_S,
        "server_settings": {**SESSION, **session},
    }
