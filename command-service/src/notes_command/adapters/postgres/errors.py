"""What PostgreSQL's errors mean for a batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from notes_command.application.ports import BadRow, Conflict, StoreError, Unavailable

# That is: a serialisation failure, a deadlock, a key just taken (notes, inbox, dead letters), a lock not had in time.
CONFLICTS: Final = frozenset({"40001", "40P01", "23505", "55P03"})
# data exception, integrity constraint violation, program limit exceeded
ROW_CLASSES: Final = frozenset({"22", "23", "54"})


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the block raises as a StoreError.

    What is neither a conflict nor a matter of one row is Unavailable: a server that is away, and a schema that this
    code does not know alike are waited for. Taking either for a bad row would dead-letter the whole topic.
    """
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable(str(error.orig)) from error
        if _refused_by_driver(error):
            raise BadRow(str(error.orig)) from error
        raise _meaning(error.orig, str(error.orig)) from error
    except asyncpg.PostgresError as error:
        raise _meaning(error, f"{type(error).__name__}: {error}") from error
    except (SQLAlchemyError, OSError, TimeoutError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"{type(error).__name__}: {error}") from error


def _meaning(error: BaseException | None, text: str) -> StoreError:
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate in CONFLICTS:
        return Conflict(text)
    if sqlstate is not None and sqlstate[:2] in ROW_CLASSES:
        return BadRow(text)
    return Unavailable(text)


def _refused_by_driver(error: DBAPIError) -> bool:
    """A value that asyncpg cannot encode never reaches the server, and so has no SQLSTATE."""
    cause = error.orig.__cause__ if error.orig is not None else None
    return isinstance(cause, asyncpg.DataError)
