"""Where a service that runs in a process of its own is to be reached."""

import asyncio
import random

import httpx

from tools.stack.ports import RANGE, is_free


def free_port() -> int:
    return next(port for port in random.sample(RANGE, 100) if is_free(port))


async def ready(port: int) -> None:
    """Return once `/readyz` answers 200. Raises TimeoutError after a minute."""
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        while True:
            try:
                if (await http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
