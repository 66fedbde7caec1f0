"""Connections to PostgreSQL, and its errors by whether a retry helps: at once, later or never."""

import ssl
import time
from asyncio import CancelledError, timeout
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from notes_chassis.logs import causes
from notes_chassis.postgres_url import connect_arguments
from notes_chassis.process import Refused
from notes_command.errors import BadRow, Blocked, Conflict, ConnectionLost, StoreError, Unavailable
from notes_command.pooler import connect_to_session

# Serialisation failure, deadlock, unique violation; division by zero: a note has changed (statements.py).
CONFLICTS: Final = frozenset({"40001", "40P01", "23505", "22012"})
# A lock that was not free in time, a statement that took too long. To decide again does not help.
BLOCKED: Final = frozenset({"55P03", "57014"})
# Data exception, integrity constraint violation, program limit exceeded: the row itself is at fault.
ROW_CLASSES: Final = frozenset({"22", "23", "54"})
# Wrong password, unknown database, missing privilege, unknown setting.
REFUSED_CLASSES: Final = frozenset({"28", "3D", "42"})
DEMOTED: Final = "25006"
"""A write was refused because the server is read-only: it is no longer the primary."""
# The session was ended: by an administrator, a crash, or a timeout of idle sessions.
ENDED: Final = frozenset({DEMOTED, "57P01", "57P02", "57P05", "25P03", "25P04"})
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
    # PostgreSQL keeps the plans of prepared statements. A plan that was made for small tables scans them, and goes on
    # doing so when they have grown, until the next ANALYZE. Measured: 15 times the cost. Every query here has an index.
    "enable_seqscan": "off",
    "jit": "off",
}
T = TypeVar("T")
P = ParamSpec("P")


@contextmanager
def translated() -> Iterator[None]:
    """Translate the errors of the block to StoreErrors.

    An error that is neither a conflict nor the fault of a row becomes Unavailable, so that the caller waits: a server
    that is away or full, a missing privilege, an unknown schema. As a BadRow it would dead-letter the whole topic.
    """
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated:
            raise ConnectionLost(_text(error.orig)) from error
        if _refused_by_driver(error):
            raise BadRow(_text(error.orig)) from error
        raise _meaning(error.orig) from error
    except asyncpg.PostgresError as error:
        raise _meaning(error) from error
    except (asyncpg.InterfaceError, ConnectionResetError, BrokenPipeError) as error:
        raise ConnectionLost(_text(error)) from error
    except (SQLAlchemyError, OSError, TimeoutError, asyncpg.InternalClientError) as error:
        raise Unavailable(_text(error)) from error


@contextmanager
def refusals() -> Iterator[None]:
    """Raise Refused, with the text of the server or the driver, for errors that only a person can mend."""
    try:
        yield
    except StoreError as error:
        for cause in causes(error):
            if _only_a_person_helps(cause):
                raise Refused(str(cause).partition("\n")[0]) from None
        raise


def _only_a_person_helps(error: BaseException) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in REFUSED_CLASSES
    # asyncpg has no class of its own for a server without TLS. Its text names the server, which the log may show.
    without_tls = type(error) is ConnectionError and "rejected SSL upgrade" in str(error)
    return without_tls or isinstance(error, (asyncpg.ClientConfigurationError, ssl.SSLCertVerificationError))


def _meaning(error: BaseException | None) -> StoreError:
    sqlstate = getattr(error, "sqlstate", None) or ""
    kind: type[StoreError] = Unavailable
    if sqlstate in CONFLICTS:
        kind = Conflict
    elif sqlstate in BLOCKED:
        kind = Blocked
    elif sqlstate[:2] in ROW_CLASSES:
        kind = BadRow
    elif sqlstate in ENDED or sqlstate.startswith("08"):
        kind = ConnectionLost
    return kind(_text(error))


def _text(error: BaseException | None) -> str:
    """Return the kind and the place of an error. Its own text may quote a row, or name hosts."""
    driver = error.__cause__ if error is not None and isinstance(error.__cause__, asyncpg.PostgresError) else error
    sqlstate = getattr(driver, "sqlstate", None)
    parts = [f"{type(driver).__name__} ({sqlstate})" if sqlstate else type(driver).__name__]
    places = {name: getattr(driver, f"{name}_name", None) for name in ("table", "column", "constraint")}
    parts += [f"{name} {value}" for name, value in places.items() if value]
    return ", ".join(parts)


def _refused_by_driver(error: DBAPIError) -> bool:
    """Return whether asyncpg could not encode a value. The server has not seen it, so there is no SQLSTATE."""
    return error.orig is not None and isinstance(error.orig.__cause__, asyncpg.DataError)


@dataclass(slots=True)
class Trust:
    """Says which connections are trusted. All pools of a process share one.

    After a failover connections may still be open to the old server, which is read-only. Once a write on one of them
    fails, no connection that is as old is used any more, not even for reads.
    """

    since: float = float("-inf")
    made: int = 0
    """How many connections all pools have made. A new one may be to another server."""

    def renew(self) -> None:
        """Trust only connections that are made from now on."""
        self.since = time.monotonic()


def create_engine(url: str, pool_size: int = 5, trust: Trust | None = None, **session: str) -> AsyncEngine:
    """Return an engine with a pool, which connects lazily. `session`: further settings of its sessions.

    A pooled connection that the server has closed, or that is not trusted, is replaced at checkout.
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
        trusted.made += 1

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
    given = _arguments(url) | {"command_timeout": None, "server_settings": connect_arguments(url)["server_settings"]}
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: connect_to_session(**given), poolclass=NullPool
    )


def trust_of(engine: AsyncEngine) -> Trust:
    """Return the Trust of an engine of `create_engine`."""
    return cast("Trust", engine.sync_engine.get_execution_options()["trust"])


@asynccontextmanager
async def borrowed(engine: AsyncEngine) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """Give asyncpg's own connection from the pool, in autocommit. SQLAlchemy's would add twice the cost of a statement.

    Raises OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError.
    """
    try:
        pooled = await engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as error:  # SQLAlchemy wraps the error of the driver
        raise error.__cause__ or error from None
    raw: Any = pooled.driver_connection
    try:
        yield raw
    except BaseException as error:
        if demoted := getattr(error, "sqlstate", None) == DEMOTED:
            trust_of(engine).renew()
        # If a statement was given up, its connection is dropped: the next user would wait for the end of the statement.
        if demoted or isinstance(error, (CancelledError, TimeoutError)) or raw.is_closed() or raw.is_in_transaction():
            pooled.invalidate()
        raise
    finally:
        pooled.close()


async def once_more(engine: AsyncEngine, work: Callable[[], Awaitable[T]]) -> T:
    """Do work that may be done twice; once more, on another connection, if its own is lost. Raises StoreError."""
    # The limit holds for both tries together, the wait for a connection included.
    answer_s = engine.sync_engine.get_execution_options().get("answer_s")
    with translated():
        async with timeout(answer_s):
            try:
                with translated():
                    return await work()
            except ConnectionLost:
                return await work()


def repeatable(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Have a method that may run twice run once more if its connection is lost."""

    @wraps(method)
    async def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        return await once_more(cast("Any", args[0]).engine, lambda: method(*args, **kwargs))

    return repeated


async def connect(url: str, **session: str) -> "asyncpg.Connection[Any]":
    """Return a connection outside of the pools. Raises OSError, TimeoutError, asyncpg.PostgresError, InterfaceError."""
    return await connect_to_session(**_arguments(url, **session))


def _arguments(url: str, **session: str) -> dict[str, Any]:
    given = connect_arguments(url)
    # Of several hosts, the primary: a standby stores nothing.
    given.setdefault("target_session_attrs", "read-write" if len(given.get("host", ())) > 1 else "any")
    settings = SESSION | given.pop("server_settings") | session | {"timezone": "UTC"}
    return {"timeout": CONNECT_TIMEOUT_S, "command_timeout": COMMAND_TIMEOUT_S, "server_settings": settings} | given
