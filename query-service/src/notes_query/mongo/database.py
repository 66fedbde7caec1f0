"""The connection, and the names of the collections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo import ReadPreference, WriteConcern
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from notes_chassis.settings import SettingsError
from notes_query.mongo.driver import driver_errors, is_untrusted

DEFAULT_DATABASE: Final = "notes"
DEAD_LETTERS: Final = "dead_letters"
MISSING_VERSIONS: Final = "missing_versions"
_PROJECTING: Final[dict[str, Any]] = {
    "read_preference": ReadPreference.PRIMARY,
    "read_concern": ReadConcern("majority"),
    "write_concern": WriteConcern("majority", j=True),
}
"""Said with everything that decides or writes, whatever the URL says: what a secondary has not got is not a gap."""


class Database:
    """One connection pool, and the database that its URL names (without a name: `notes`).

    Collections read from the primary what the majority has, and write to the majority. Those of `for_queries` read as
    the URL says: from secondaries, if it names them.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        milliseconds = int(timeout_s * 1000)
        try:
            self.client: Any = AsyncIOMotorClient(
                url,
                w="majority",
                journal=True,
                retryWrites=True,
                retryReads=True,
                tz_aware=True,
                timeoutMS=milliseconds,
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                appname="notes-query",
            )
            self.for_queries: Any = self.client.get_default_database(DEFAULT_DATABASE)
        except (PyMongoError, ValueError, OSError) as error:  # its text may quote the password
            kind = type(error).__name__
            raise SettingsError(f"NOTES_MONGO: not a URL that MongoDB's driver takes ({kind})") from None
        self._database = self.for_queries.with_options(**_PROJECTING)
        self._stored_at: Any = None

    def __getitem__(self, collection: str) -> Any:
        return self._database[collection]

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        """Give a session that reads at least what sessions of this process have stored or read before.

        What the majority has is not known at once to a primary that was just elected: it would answer with what was
        there before the last writes, and the next events would look as if one were missing. One operation at a time.
        """
        # The driver asks no server for either, and Motor would use a thread for each: four of the six of a batch.
        session = self.client.delegate.start_session(causal_consistency=True)
        if self._stored_at is not None:
            session.advance_operation_time(self._stored_at)
        try:
            yield AsyncIOMotorClientSession(session, self.client)
        finally:
            at = session.operation_time
            if at is not None and (self._stored_at is None or at > self._stored_at):
                self._stored_at = at
            session.end_session()

    async def renew_session_time(self) -> None:
        """Let sessions from now on read at least what the primary has now, once the majority has it.

        A change stream tells what the primary stores after it was opened. What was stored before and has not reached
        the majority yet would be neither told nor read.
        """
        async with self.session() as session:
            await self._database.command("ping", session=session)

    async def transaction(self, work: Callable[[Any], Awaitable[bool]]) -> bool:
        """Do `work`, given a session, in one transaction, and return what it returns: False undoes all of it.

        Raises StoreUnavailable.
        """

        async def attempt(session: Any) -> bool:
            done = await work(session)
            if not done:
                await session.abort_transaction()
            return done

        with driver_errors():
            async with await self.client.start_session() as session:
                done: bool = await session.with_transaction(attempt, **_PROJECTING)
        return done

    async def ping(self) -> None:
        """Raise StoreUnavailable if the primary does not answer."""
        with driver_errors():
            # The driver would try on for longer than readiness waits, and readiness would not say why.
            known = self.client.topology_description
            if not known.has_writable_server():
                for server in known.server_descriptions().values():
                    if is_untrusted(server.error):
                        raise server.error
            await self._database.command("ping")

    async def close(self) -> None:
        """Close every connection, in a thread: the driver says goodbye to a server that may not listen."""
        await asyncio.to_thread(self.client.delegate.close)
