"""`python -m tests.harness.flood COUNT URL…`: hostile connections to each of these addresses, until it is killed.

A quarter each is silent, stops within the headers, stops within a large body, and never reads a large answer.
Whoever is thrown out comes back, at most so many a second. Prints a line once all have come.
"""

import asyncio
import resource
import socket
import sys
from contextlib import suppress
from itertools import cycle, islice
from urllib.parse import urlsplit

AGAIN_S = 0.1
AGAIN = 30
UPLOADED = 60_000


class Hostile(asyncio.Protocol):
    """A connection that sends this, and then nothing."""

    def __init__(self, sent: bytes, gone: "set[Hostile]") -> None:
        self.sent, self._gone = sent, gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if self.sent.startswith(b"GET /notes/"):
            transport.pause_reading()
        transport.write(self.sent)

    def connection_lost(self, _: Exception | None) -> None:
        self._gone.add(self)


def kinds(path: str) -> list[bytes]:
    head = b"POST /commands/create-note HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return [
        b"",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nx-slow: ",
        head + b"Content-Length: 1000000\r\n\r\n" + b"1" * UPLOADED,
        b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode(),
    ]


async def attack(url: str, count: int) -> None:
    address = urlsplit(url)
    gone: set[Hostile] = set()

    async def connect(sent: bytes) -> None:
        one = socket.socket()
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(one, (address.hostname, address.port))
            await loop.create_connection(lambda: Hostile(sent, gone), sock=one)
        except OSError:
            one.close()
            gone.add(Hostile(sent, gone))

    for sent in islice(cycle(kinds(address.path)), count):
        await connect(sent)
    print("all have come", flush=True)  # noqa: T201 - whoever started this waits for it
    while True:
        await asyncio.sleep(AGAIN_S)
        for one in list(gone)[:AGAIN]:
            gone.discard(one)
            await connect(one.sent)


async def main(count: int, urls: list[str]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    each = min(count, (hard - 100) // len(urls))
    async with asyncio.TaskGroup() as group:
        for url in urls:
            group.create_task(attack(url, each))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
