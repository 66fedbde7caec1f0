"""aiokafka's fetch, as FastStream's loop calls it, with three things changed."""

from collections.abc import Callable
from typing import Any, Final

from notes_chassis.kafka.record_batches import bounded_poll

WAIT_MS: Final = 1000
"""How long an idle fetch waits for records; it returns with the first.

FastStream sleeps as long as it waited after every fetch that brought nothing. Waiting long here and sleeping shortly
there, records are seen at once nearly always, and an idle consumer costs next to nothing.
"""


def watch_fetches(consumer: Any, failed: Callable[[], None]) -> None:
    """Let fetches wait, and bound what they return.

    `failed` is called whenever one raises: it drops what it had drained from other partitions.
    """
    getmany = consumer.getmany

    async def watched(*partitions: Any, timeout_ms: int = 0, max_records: int | None = None) -> Any:  # noqa: ARG001
        try:
            return await bounded_poll(
                consumer, lambda: getmany(*partitions, timeout_ms=WAIT_MS, max_records=max_records)
            )
        except Exception:
            failed()
            raise

    consumer.getmany = watched
