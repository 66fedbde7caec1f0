"""A lean HTTP/1.1 client: the load must cost less than what it measures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Connection:
    """One kept-alive connection, for one request at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    host: str

    async def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        _, found, length = head.partition(b"content-length:")
        return int(head[9:12]), await self.reader.readexactly(int(length.split(b"\r\n")[0])) if found else b""


@asynccontextmanager
async def connections(url: str, count: int) -> AsyncIterator[list[Connection]]:
    """Open that many connections."""
    parts, opened = urlsplit(url), list[Connection]()
    try:
        for _ in range(count):
            opened.append(Connection(*await asyncio.open_connection(parts.hostname, parts.port), parts.netloc))
        yield opened
    finally:
        for one in opened:
            one.writer.close()
        await asyncio.gather(*(one.writer.wait_closed() for one in opened))
