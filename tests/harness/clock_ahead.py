"""Producers of this process whose clock is two hours ahead of the broker's."""

import time
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

AHEAD_S = 2 * 60 * 60
"""More than the hour that Kafka allows (`message.timestamp.after.max.ms`)."""


def clock_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every record that says nothing of its time carry that of such a clock."""
    append = BatchBuilder.append

    def ahead(self: Any, *, timestamp: int | None, **options: Any) -> Any:
        stamp = round((time.time() + AHEAD_S) * 1000) if timestamp is None else timestamp
        return append(self, timestamp=stamp, **options)

    monkeypatch.setattr(BatchBuilder, "append", ahead)
