"""A pooler is known by what it does: a twin of one, and of PostgreSQL itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import asyncpg
import pytest

from notes_command.pooler import SharedSession, connect_to_session


class Server:
    """Gives sessions as PostgreSQL does, as a pool of sessions, or as a pool of transactions: the last freed first."""

    def __init__(self, mode: str, refuses: Exception | None = None) -> None:
        self.mode, self.refuses = mode, refuses
        self.free: list[int] = []
        self.backends = count(100)
        self.clients = count(900)
        self.open = 0

    async def connect(self, **_: Any) -> "Connection":
        if self.refuses is not None:
            raise self.refuses
        self.open += 1
        return Connection(self)


class Connection:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.pinned: int | None = None if server.mode == "transaction" else next(server.backends)
        self.said = self.pinned if server.mode == "none" else next(server.clients)

    def get_server_pid(self) -> int | None:
        return self.said

    def terminate(self) -> None:
        self.server.open -= 1

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        kept = self.pinned
        self.pinned = self._session()
        yield
        if kept is None:
            self.server.free.append(self.pinned)
        self.pinned = kept

    async def fetchval(self, _: str) -> int:
        backend = self._session()
        if self.pinned is None:
            self.server.free.append(backend)
        return backend

    def _session(self) -> int:
        if self.pinned is not None:
            return self.pinned
        return self.server.free.pop() if self.server.free else next(self.server.backends)


@pytest.mark.parametrize("mode", ["none", "session"])
async def test_a_session_of_ones_own_is_taken(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(mode)
    monkeypatch.setattr(asyncpg, "connect", server.connect)
    await connect_to_session(host="h")
    assert server.open == 1


async def test_a_shared_session_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server("transaction")
    monkeypatch.setattr(asyncpg, "connect", server.connect)
    with pytest.raises(SharedSession, match="PgBouncer in transaction mode"):
        await connect_to_session(host="h")
    assert server.open == 0


async def test_what_does_not_let_settings_through_is_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    said = asyncpg.ProtocolViolationError("unsupported startup parameter: lock_timeout")
    monkeypatch.setattr(asyncpg, "connect", Server("transaction", said).connect)
    with pytest.raises(SharedSession):
        await connect_to_session(host="h")


async def test_another_violation_of_the_protocol_is_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said = asyncpg.ProtocolViolationError("something else")
    monkeypatch.setattr(asyncpg, "connect", Server("none", said).connect)
    with pytest.raises(asyncpg.ProtocolViolationError):
        await connect_to_session(host="h")
