"""Refuses poolers that give a connection no session of its own, such as PgBouncer in transaction mode.

Through such a pooler LISTEN hears nothing, the lock of a migration stays behind or excludes nobody, and another client
gets the settings of our session. None of this raises an error, so every new connection is checked.
"""

from typing import Any, Final

import asyncpg

HELP: Final = (
    "between us and PostgreSQL is a pooler, such as PgBouncer in transaction mode, that does not give us a session of"
    " our own; LISTEN, locks of migrations and settings of the session need one: connect to PostgreSQL itself"
)
_BACKEND: Final = "SELECT pg_backend_pid()"


class SharedSession(asyncpg.ClientConfigurationError):  # type: ignore[misc]
    """The connection has no session of its own. Only a person can change that."""

    def __init__(self) -> None:
        super().__init__(HELP)


async def connect_to_session(**arguments: Any) -> "asyncpg.Connection[Any]":
    """Return a connection with a session of its own. Raises SharedSession, and whatever `asyncpg.connect` raises."""
    try:
        connection = await asyncpg.connect(**arguments)
    except asyncpg.ProtocolViolationError as error:
        if "startup parameter" in str(error):  # PgBouncer says so; PostgreSQL knows the settings
            raise SharedSession from None
        raise
    try:
        shared = await _is_shared(connection, arguments)
    except BaseException:
        connection.terminate()
        raise
    if shared:
        connection.terminate()
        raise SharedSession
    return connection


async def _is_shared(connection: "asyncpg.Connection[Any]", arguments: dict[str, Any]) -> bool:
    """Return whether another client may get the session between two statements of this one."""
    try:
        own = await connection.fetchval(_BACKEND)
        if own == connection.get_server_pid():
            return False  # a pooler reports another process id than that of the backend
        other = await asyncpg.connect(**arguments)
        try:
            async with other.transaction():
                return bool(own == await other.fetchval(_BACKEND) or own != await connection.fetchval(_BACKEND))
        finally:
            other.terminate()
    except (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError):
        return True  # a prepared statement of this session was looked up in another one
