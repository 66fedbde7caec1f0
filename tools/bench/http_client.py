"""A lean HTTP/1.1 client: the load must cost less than what it measures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Connection:
    """One kept-alive connection, for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host

    async def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        lower = head.lower()
        at = lower.find(b"content-length:")
        if at < 0:
            return status, b""
        length = int(lower[at + 15 : lower.index(b"\r\n", at)])
        return status, await self._reader.readexactly(length)

    async def close(self) -> None:
        """Say goodbye."""
        self._writer.close()
        await self._writer.wait_closed()


@asynccontextmanager
async def connections(url: str, count: int) -> AsyncIterator[list[Connection]]:
    """Open that many connections."""
    parts = urlsplit(url)
    opened = []
    try:
        for _ in range(count):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            opened.append(Connection(reader, writer, parts.netloc))
        yield opened
    finally:
        await asyncio.gather(*(one.close() for one in opened))
