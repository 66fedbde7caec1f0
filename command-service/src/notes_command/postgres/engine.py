"""Connections to PostgreSQL: pools, and single connections for what a pool cannot do."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from notes_chassis.postgres_url import connect_arguments
from notes_command.errors import ConnectionLost
from notes_command.postgres.errors import DEMOTED, translated

CONNECT_TIMEOUT_S: Final = 5.0
COMMAND_TIMEOUT_S: Final = 60

# A connection whose client was cut off or stopped must not hold row locks that another instance waits for.
SESSION: Final = {
    "application_name": "notes-command",
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "5s",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "4s",
    # Plans of prepared statements are kept. One made while the tables were small reads them whole, and goes on doing
    # so when they have grown, until the next ANALYZE: seen to cost 15 times as much. Everything here has an index.
    "enable_seqscan": "off",
    "jit": "off",
}
T = TypeVar("T")


@dataclass(slots=True)
class Trust:
    """Since when connections are trusted; one for all pools of a process.

    After a failover connections may go on to the old server, which reads and does not write: one that cannot write
    says so, and then none that is as old may be read from either.
    """

    since: float = float("-inf")

    def renew(self) -> None:
        """Trust only what is connected from now on."""
        self.since = time.monotonic()


def create_engine(url: str, pool_size: int = 5, trust: Trust | None = None, **session: str) -> AsyncEngine:
    """Return a pooled engine; `session` adds to its settings. Connects lazily.

    A pooled connection that the server has closed, or that is not trusted, is replaced when it is asked for.
    """
    trusted = trust or Trust()
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(url, **session),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        execution_options={"trust": trusted},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def made(_: object, record: Any) -> None:
        record.info["made"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def checked_out(connection: Any, record: Any, _: object) -> None:
        if connection.driver_connection.is_closed() or record.info["made"] < trusted.since:
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "handle_error")
    def failed(context: Any) -> None:
        if getattr(context.original_exception, "sqlstate", None) == DEMOTED:
            context.is_disconnect = True
            trusted.renew()

    return engine


def single_engine(url: str) -> AsyncEngine:
    """Return an engine without a pool and without our session's settings, for migrations."""
    arguments = _arguments(url) | {"command_timeout": None}
    arguments["server_settings"] = connect_arguments(url)["server_settings"]
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(**arguments), poolclass=NullPool
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
        except BaseException as error:
            demoted = getattr(error, "sqlstate", None) == DEMOTED
            if demoted:
                engine.sync_engine.get_execution_options()["trust"].renew()
            if demoted or raw.is_closed() or raw.is_in_transaction():
                await connection.invalidate()
            raise


async def once_more(work: Callable[[], Awaitable[T]]) -> T:
    """Do what may be done twice, and do it again, on another connection, if its connection was lost.

    Raises StoreError.
    """
    try:
        with translated():
            return await work()
    except ConnectionLost:
        with translated():
            return await work()


async def connect(url: str, **session: str) -> "asyncpg.Connection[Any]":
    """Return a connection outside of any pool. Raises OSError, TimeoutError, asyncpg.PostgresError."""
    return await asyncpg.connect(**_arguments(url, **session))


def _arguments(url: str, **session: str) -> dict[str, Any]:
    given = connect_arguments(url)
    # Nothing is ever to be stored on a standby: of several hosts, the one that writes.
    given.setdefault("target_session_attrs", "read-write" if len(given.get("host", ())) > 1 else "any")
    settings = SESSION | given.pop("server_settings") | session | {"timezone": "UTC"}
    return {"timeout": CONNECT_TIMEOUT_S, "command_timeout": COMMAND_TIMEOUT_S, "server_settings": settings} | given
