"""aiokafka's connections, closed whatever happens while they are being made.

A client that is cancelled while it starts forgets its first connection, and one that is closed while it connects keeps
the connection that comes a moment later. Both stay open until the garbage collector finds them.
"""

from typing import Any, Final

from aiokafka import client as module
from aiokafka.client import AIOKafkaClient

_bootstrap: Final = AIOKafkaClient.bootstrap
_close: Final = AIOKafkaClient.close
_get_conn: Final = AIOKafkaClient._get_conn  # noqa: SLF001 - the one place where a client makes connections
_create: Final = module.create_conn
_CLOSED: Final = "_notes_closed"


async def _bootstrap_or_close(client: Any) -> None:
    made: list[Any] = []

    async def create(*arguments: Any, **options: Any) -> Any:
        made.append(await _create(*arguments, **options))
        return made[-1]

    setattr(client, _CLOSED, False)
    try:
        await _with(create, client)
    except BaseException:
        for connection in made:
            connection.close()
        raise


async def _with(create: Any, client: Any) -> None:
    # Called with names of its own: other clients may start at the same time.
    names = {**_bootstrap.__globals__, "create_conn": create}
    own = type(_bootstrap)(_bootstrap.__code__, names, _bootstrap.__name__, _bootstrap.__defaults__)
    await own(client)


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
