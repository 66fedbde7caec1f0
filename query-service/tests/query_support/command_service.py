"""What answers as command-service does where it is asked to republish a note."""

import asyncio
import json


class CommandService:
    """Answers like the other service, first that it is asked too often; remembers which notes were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        (length,) = [line.partition(":")[2] for line in head.splitlines() if line.startswith("content-length:")]
        self.asked.append(json.loads(await reader.readexactly(int(length)))["note_id"])
        first = len(self.asked) == 1
        status = b"429 Too Many Requests\r\nRetry-After: 1" if first else b"202 Accepted"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
