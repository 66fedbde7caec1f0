from collections.abc import Callable
from typing import Any


def watch_fetches(consumer: Any, failed: Callable[[], None]) -> None:
    """Call `failed` whenever the consumer's fetch raises: it drops what it had drained from other partitions."""
    getmany = consumer.getmany

    async def watched(*arguments: Any, **named: Any) -> Any:
        try:
            return await getmany(*arguments, **named)
        except Exception:
            failed()
            raise

    consumer.getmany = watched
