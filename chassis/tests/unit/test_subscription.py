"""A record with a header that is null or not UTF-8 must not cost its batch."""

from typing import Any

import pytest
from aiokafka import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from notes_chassis.kafka.subscription import decode, parse


def record(offset: int, headers: tuple[tuple[str, bytes | None], ...]) -> "ConsumerRecord[bytes, bytes]":
    return ConsumerRecord("events", 0, offset, 0, 0, b"key", b"value", None, 3, 5, headers)


@pytest.fixture
def batch() -> Any:
    return (record(0, (("ce_id", b"\xff"),)), record(1, (("ce_id", None),)), record(2, (("ce_id", b"x"),)))


def subscriber(**options: Any) -> Any:
    broker = KafkaBroker("localhost", apply_types=False)
    made = broker.subscriber("events", batch=True, group_id="g", ack_policy=AckPolicy.MANUAL, **options)
    made(lambda _: None)
    return made


async def test_our_parser_hands_the_batch_through_untouched(batch: Any):
    original = subscriber().parser.parse_batch

    message = await parse(batch, original)

    assert await decode(message) is batch
    assert message.headers == {}


async def test_the_original_parser_still_raises_so_ours_is_still_needed(batch: Any):
    with pytest.raises((UnicodeDecodeError, AttributeError)):
        await subscriber().parser.parse_batch(batch)
