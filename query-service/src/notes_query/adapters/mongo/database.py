"""The connection, the names of the collections, and what counts as MongoDB being away."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError, WTimeoutError

from notes_query.application.errors import StoreUnavailable

DEFAULT_DATABASE: Final = "notes"
DEAD_LETTERS: Final = "dead_letters"
REASON_LENGTH: Final = 300


class Database:
    """One connection pool, and the database that its URL names (without a name: `notes`)."""

    def __init__(self, url: str, timeout_s: float) -> None:
        milliseconds = int(timeout_s * 1000)
        self.client: Any = AsyncIOMotorClient(
            url,
            w="majority",
            tz_aware=True,
            timeoutMS=milliseconds,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            appname="notes-query",
        )
        self._database = self.client.get_default_database(DEFAULT_DATABASE)

    def __getitem__(self, collection: str) -> Any:
        return self._database[collection]

    async def transaction(self, work: Callable[[Any], Awaitable[bool]]) -> bool:
        """Do `work`, given a session, in one transaction, and return what it returns: False undoes all of it.

        Raises StoreUnavailable.
        """

        async def attempt(session: Any) -> bool:
            done = await work(session)
            if not done:
                await session.abort_transaction()
            return done

        with away_is_unavailable():
            async with await self.client.start_session() as session:
                done: bool = await session.with_transaction(attempt)
        return done

    async def ping(self) -> None:
        """Raise StoreUnavailable if the primary does not answer."""
        with away_is_unavailable():
            await self._database.command("ping")

    async def close(self) -> None:
        """Close every connection, in a thread: the driver says goodbye to a server that may not listen."""
        await asyncio.to_thread(self.client.delegate.close)


@contextmanager
def away_is_unavailable() -> Iterator[None]:
    """Turn the driver's ways of saying "not now" into StoreUnavailable; whatever else it says goes through."""
    try:
        yield
    except PyMongoError as error:
        if _is_away(error):
            raise StoreUnavailable(f"MongoDB: {str(error)[:REASON_LENGTH]}") from error
        raise


def _is_away(error: PyMongoError) -> bool:
    if isinstance(error, ConnectionFailure | WTimeoutError) or error.timeout:
        return True
    if any(error.has_error_label(label) for label in ("RetryableWriteError", "TransientTransactionError")):
        return True
    # A bulk write says in its details that it was not acknowledged by the majority.
    return isinstance(error, OperationFailure) and bool((error.details or {}).get("writeConcernErrors"))
