"""Refuses poolers that do not give a connection a session of its own, such as PgBouncer in transaction mode.

Through one, LISTEN hears nothing, the lock of a migration stays behind or holds nobody off, and our session's settings
are another's. All of that goes wrong without a word, so it is looked for.
"""

from typing import Any, Final

import asyncpg

HELP: Final = (
    "between us and PostgreSQL is a pooler, such as PgBouncer in transaction mode, that does not give us a session of"
    " our own; LISTEN, locks of migrations and settings of the session need one: connect to PostgreSQL itself"
)
_BACKEND: Final = "SELECT pg_backend_pid()"


class SharedSession(asyncpg.ClientConfigurationError):  # type: ignore[misc]
    """Only a person helps."""

    def __init__(self) -> None:
        super().__init__(HELP)


async def connect_to_session(**arguments: Any) -> "asyncpg.Connection[Any]":
    """Return a connection with a session of its own.

    Raises SharedSession if there is none to be had, and whatever `asyncpg.connect` raises.
    """
    try:
        connection = await asyncpg.connect(**arguments)
    except asyncpg.ProtocolViolationError as error:
        if "startup parameter" in str(error):  # said by PgBouncer; PostgreSQL knows its settings
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
    """Tell whether another client may get the session while this one is between two statements."""
    try:
        own = await connection.fetchval(_BACKEND)
        if own == connection.get_server_pid():
            return False  # what a pooler says of itself is not the backend
        other = await asyncpg.connect(**arguments)
        try:
            async with other.transaction():
                return bool(own == await other.fetchval(_BACKEND) or own != await connection.fetchval(_BACKEND))
        finally:
            other.terminate()
    except (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError):
        return True  # a statement that was prepared in one session was looked for in another
