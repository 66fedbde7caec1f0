"""Which of PostgreSQL's errors help a retry, and which a smaller batch."""

from typing import Any

import asyncpg
import pytest
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from notes_command.errors import BadDeploy, BadRow, Blocked, Conflict, ConnectionLost, StoreError, Unavailable
from notes_command.postgres import translated


def refused(sqlstate: str | None, cause: Exception | None = None, *, invalidated: bool = False) -> DBAPIError:
    """Return the error as SQLAlchemy's asyncpg dialect raises it: bare, with the driver's error behind it."""
    original: Any = AsyncAdapt_asyncpg_dbapi.Error("what the server said", cause or Exception())  # type: ignore[no-untyped-call]
    original.sqlstate = sqlstate
    original.__cause__ = cause
    return DBAPIError("INSERT …", (), original, connection_invalidated=invalidated)


def meaning(error: BaseException) -> BaseException:
    with pytest.raises(BaseException) as caught, translated():
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("40001", Conflict),  # serialisation failure
        ("40P01", Conflict),  # deadlock
        ("23505", Conflict),  # a key that somebody else has just taken
        ("55P03", Blocked),  # a lock not had in time
        ("57014", Blocked),  # cancelled, or too slow
        ("22021", BadRow),  # NUL
        ("22003", BadRow),  # out of range
        ("23502", BadRow),  # null where none may be
        ("23514", BadRow),  # a check
        ("54000", BadRow),  # a row too large
        ("08006", ConnectionLost),  # connection failure
        ("25006", ConnectionLost),  # read-only, as a replica is
        ("25P03", ConnectionLost),  # idle in transaction for too long
        ("28P01", Unavailable),  # password
        ("42501", Unavailable),  # no privilege
        ("42703", Unavailable),  # a column that is not there yet
        ("42P01", Unavailable),  # a table that is not there yet
        ("42883", Unavailable),  # a function that is not there
        ("3D000", Unavailable),  # no such database
        ("3F000", Unavailable),  # no such schema
        ("0A000", Unavailable),  # a feature that this server has not
        ("26000", Unavailable),  # a prepared statement that a pooler between us forgot
        ("40003", Unavailable),  # whether it was committed is not known
        ("53200", Unavailable),  # out of memory
        ("53400", Unavailable),  # a limit of the configuration
        ("55000", Unavailable),
        ("55006", Unavailable),  # in use
        ("58000", Unavailable),  # the system
        ("58030", Unavailable),  # the disk
        ("72000", Unavailable),
        ("F0000", Unavailable),
        ("XX001", Unavailable),  # damaged data
        ("XX002", Unavailable),  # a damaged index
        ("53100", Unavailable),  # disk full
        ("53300", Unavailable),  # too many connections
        ("57P01", ConnectionLost),  # shutting down, or this session was ended
        ("57P02", ConnectionLost),  # crashed
        ("57P05", ConnectionLost),  # idle for too long
        ("57P03", Unavailable),  # starting
        ("XX000", Unavailable),
        (None, Unavailable),
    ],
)
def test_what_each_sqlstate_means(sqlstate: str | None, expected: type[StoreError]) -> None:
    error = meaning(refused(sqlstate))
    assert type(error) is expected
    assert "what the server said" not in str(error)


def test_a_value_that_the_driver_cannot_encode_is_a_bad_row() -> None:
    assert type(meaning(refused(None, asyncpg.DataError("a lone surrogate")))) is BadRow


@pytest.mark.parametrize("sqlstate", ["22021", None])
def test_a_connection_that_broke_on_the_way_is_no_bad_row(sqlstate: str | None) -> None:
    assert type(meaning(refused(sqlstate, asyncpg.DataError("?"), invalidated=True))) is ConnectionLost


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("no server"),
        TimeoutError(),
        PoolTimeoutError("no connection in the pool"),
        PendingRollbackError("rolled back"),
        asyncpg.CannotConnectNowError("starting"),
    ],
)
def test_a_server_that_is_away_is_waited_for(error: Exception) -> None:
    found = meaning(error)
    assert type(found) is Unavailable
    assert found.__cause__ is error
    assert str(found).startswith(type(error).__name__)


@pytest.mark.parametrize("error", [BadDeploy("bugs"), Conflict("inner"), KeyError("ours"), KeyboardInterrupt()])
def test_what_is_not_the_stores_passes_through(error: BaseException) -> None:
    assert meaning(error) is error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncpg.UniqueViolationError("taken"), Conflict),
        (asyncpg.DeadlockDetectedError("deadlock"), Conflict),
        (asyncpg.CharacterNotInRepertoireError("NUL"), BadRow),
        (asyncpg.DataError("a lone surrogate"), BadRow),
        (asyncpg.ConnectionDoesNotExistError("cut off"), ConnectionLost),
        (asyncpg.AdminShutdownError("shutting down"), ConnectionLost),
        (asyncpg.ReadOnlySQLTransactionError("a replica"), ConnectionLost),
        (asyncpg.LockNotAvailableError("held"), Blocked),
        (asyncpg.InterfaceError("connection is closed"), ConnectionLost),
        (ConnectionResetError("cut off"), ConnectionLost),
    ],
)
def test_what_the_driver_raises_itself_means_the_same(error: Exception, expected: type[StoreError]) -> None:
    found = meaning(error)
    assert type(found) is expected
    assert str(found).startswith(type(error).__name__)
    assert str(error) not in str(found)
    assert found.__cause__ is error


def test_a_refused_row_is_told_by_kind_and_place_and_not_by_what_is_in_it() -> None:
    error = asyncpg.CheckViolationError('new row for relation "notes" violates check constraint "notes_status"')
    error.detail = "Failing row contains (dear diary)"
    error.table_name, error.constraint_name = "notes", "notes_status"
    assert str(meaning(error)) == "CheckViolationError (23514), table notes, constraint notes_status"
    assert str(meaning(refused("23514", error))) == str(meaning(error))
