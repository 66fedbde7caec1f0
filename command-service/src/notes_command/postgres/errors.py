"""What PostgreSQL's errors mean: will a retry help, at once, later, or never?"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from notes_chassis.exceptions import causes
from notes_chassis.once import Refused
from notes_command.errors import BadRow, Blocked, Conflict, ConnectionLost, StoreError, Unavailable

# A serialisation failure, a deadlock, a key just taken (notes, inbox, dead letters).
CONFLICTS: Final = frozenset({"40001", "40P01", "23505"})
# A lock not had in time, a statement that was cancelled because it took too long. Deciding again does not help.
BLOCKED: Final = frozenset({"55P03", "57014"})
# Data exception, integrity constraint violation, program limit exceeded: what the row itself is.
ROW_CLASSES: Final = frozenset({"22", "23", "54"})
# A wrong password, no such database, no privilege or a setting that the server does not know.
REFUSED_CLASSES: Final = frozenset({"28", "3D", "42"})
DEMOTED: Final = "25006"
"""A write on a connection whose server only reads: it is no longer the primary."""
# The session was ended: by an administrator, a crash, or a timeout of idle sessions.
ENDED: Final = frozenset({DEMOTED, "57P01", "57P02", "57P05", "25P03", "25P04"})


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the block raises as a StoreError.

    What is neither a conflict nor a matter of one row is waited for: a server that is away, full or forbidden, and a
    schema that this code does not know alike. Taking any of them for a bad row would dead-letter the whole topic.
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
    """Raise Refused, in the words of the server or the driver, for what only a person can change."""
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
    # asyncpg has no class of its own for a server without TLS. Its words name the server, and the log may.
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
    """Return kind and place. What the server and the driver say may quote what somebody wrote, or name hosts."""
    driver = error.__cause__ if error is not None and isinstance(error.__cause__, asyncpg.PostgresError) else error
    sqlstate = getattr(driver, "sqlstate", None)
    parts = [f"{type(driver).__name__} ({sqlstate})" if sqlstate else type(driver).__name__]
    places = {name: getattr(driver, f"{name}_name", None) for name in ("table", "column", "constraint")}
    parts += [f"{name} {value}" for name, value in places.items() if value]
    return ", ".join(parts)


def _refused_by_driver(error: DBAPIError) -> bool:
    """A value that asyncpg cannot encode never reaches the server, and so has no SQLSTATE."""
    cause = error.orig.__cause__ if error.orig is not None else None
    return isinstance(cause, asyncpg.DataError)
