import asyncio
from datetime import timedelta
from typing import Any

from notes_contracts import Code
from notes_query.adapters.kafka.dead_letter_topic import headers_of
from notes_query.application.errors import SendFailed
from notes_query.application.ports import DeadLetter
from notes_query.entrypoints.dead_letter_relay import DeadLetterRelay


class Topic:
    """Takes dead letters, after as many failures as told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.sent: list[DeadLetter] = []

    async def send(self, letter: DeadLetter) -> None:
        if self.failures:
            self.failures -= 1
            raise SendFailed("away")
        self.sent.append(letter)


def letter(samples: Any, offset: int = 5) -> DeadLetter:
    record = samples.raw(b"value", offset=offset, key=b"key", ce_id=b"\xff", empty=None)
    return DeadLetter(record, Code.UNDECODABLE, "why: é", samples.start)


def test_the_headers_say_what_and_where_and_keep_what_was_there(samples: Any):
    assert headers_of(letter(samples)) == [
        ("ce_id", b"\xff"),
        ("empty", None),
        ("dead-letter-code", b"undecodable"),
        ("dead-letter-reason", "why: é".encode()),
        ("dead-letter-topic", b"events"),
        ("dead-letter-partition", b"0"),
        ("dead-letter-offset", b"5"),
        ("dead-letter-time", b"2026-01-02T03:04:05.678Z"),
    ]


def test_a_letter_of_a_letter_has_its_headers_replaced(samples: Any):
    first = letter(samples)
    record = first.record._replace(headers=tuple(headers_of(first)), offset=9)  # type: ignore[attr-defined]

    again = headers_of(DeadLetter(record, Code.INTERNAL, "else", samples.start))

    assert [name for name, _ in again] == [name for name, _ in headers_of(first)]
    assert dict(again)["dead-letter-offset"] == b"9"


async def test_the_relay_sends_each_once_and_notes_it(samples: Any, side: Any):
    await side.letters.add([letter(samples, 1), letter(samples, 2), letter(samples, 1)])
    topic = Topic()
    relay = DeadLetterRelay(side.letters, topic, lambda: samples.start)

    assert [await relay.step() for _ in range(3)] == [True, True, False]
    assert [sent.record.offset for sent in topic.sent] == [1, 2]


async def test_the_relay_outlives_a_kafka_that_is_away(samples: Any, side: Any):
    await side.letters.add([letter(samples)])
    topic = Topic(failures=2)
    moments = iter(samples.start + timedelta(minutes=2 * number) for number in range(100))
    running = asyncio.create_task(DeadLetterRelay(side.letters, topic, lambda: next(moments)).run())

    async with asyncio.timeout(5):
        while not side.letters.sent_at:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])

    assert len(topic.sent) == 1
