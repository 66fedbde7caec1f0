"""aiokafka's connections, closed whatever happens while they are being made or closed.

A client that is cancelled while it starts forgets its first connection, and one that is closed while it connects keeps
the connection that comes a moment later. Both stay open until the garbage collector finds them. This goes when aiokafka
closes what a failed start has made (https://github.com/aio-libs/aiokafka/issues/715) and refuses connections after
`close`, for which no issue was found; test_connections.py tells.
"""

import asyncio
import traceback
from collections.abc import Coroutine
from typing import Any, Final

from aiokafka.client import AIOKafkaClient

_bootstrap: Final = AIOKafkaClient.bootstrap
_close: Final = AIOKafkaClient.close
_get_conn: Final = AIOKafkaClient._get_conn  # noqa: SLF001 - the one place where a client makes connections
_CLOSED: Final = "_notes_closed"


async def to_its_end(ending: Coroutine[Any, Any, None]) -> None:
    """Close something, even if we are cancelled meanwhile: nobody would close the rest of it later.

    `ending` has to end by itself within a few seconds; a cancellation is raised after it.
    """
    task = asyncio.create_task(ending)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _bootstrap_or_close(client: Any) -> None:
    setattr(client, _CLOSED, False)
    try:
        await _bootstrap(client)
    except BaseException as error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if (connection := frame.f_locals.get("bootstrap_conn")) is not None:  # no name but aiokafka's local one
                connection.close()
        raise


async def _close_for_good(client: Any) -> None:
    setattr(client, _CLOSED, True)
    await _close(client)


async def _get_unless_closed(client: Any, *arguments: Any, **options: Any) -> Any:
    connection = await _get_conn(client, *arguments, **options)
    if connection is not None and getattr(client, _CLOSED, False):
        connection.close()
        return None
    return connection


def close_what_is_left() -> None:
    """Change every client of the process; aiokafka has no option for it."""
    AIOKafkaClient.bootstrap = _bootstrap_or_close
    AIOKafkaClient.close = _close_for_good
    AIOKafkaClient._get_conn = _get_unless_closed  # noqa: SLF001
