"""How long commands take on each part of their way is seen once a batch, for its oldest record."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from command_support.builders import NOW, TOPICS, clocks_agree, new_id
from command_support.memory.database import MemoryDatabase
from command_support.memory.store import MemoryStore
from prometheus_client import REGISTRY

from notes_chassis.kafka.lag import Tracker
from notes_command.pipeline.batches import CommandBatches
from notes_command.pipeline.process import BatchProcessor


@dataclass(frozen=True)
class Record:
    """A record without any command."""

    timestamp: int | None
    topic: str = "notes.commands"
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[Any] = ()


def seen() -> tuple[float, float]:
    count, total = (REGISTRY.get_sample_value(f"notes_command_taken_seconds_{part}") for part in ("count", "sum"))
    assert count is not None
    assert total is not None
    return count, total


@pytest.mark.parametrize(
    ("ages", "expected"),
    [((5, 60, 1), 60.0), ((None, 7), 7.0), ((None,), None), ((-3600,), 0.0)],
    ids=["the oldest counts", "one has no time", "none has one", "of the future"],
)
async def test_the_time_until_a_batch_is_in_hand(ages: Sequence[int | None], expected: float | None) -> None:
    processor = BatchProcessor(MemoryStore(MemoryDatabase(), TOPICS), now=lambda: NOW, new_id=new_id)
    batches = CommandBatches(processor, lambda _: None, Tracker("group", lambda: datetime.now(UTC)), clocks_agree)
    before, now = seen(), time.time()
    await batches([Record(None if age is None else int((now - age) * 1000), offset=at) for at, age in enumerate(ages)])
    count, total = (after - was for after, was in zip(seen(), before, strict=True))
    assert count == (expected is not None)
    assert total == pytest.approx(expected or 0.0, abs=5.0)
