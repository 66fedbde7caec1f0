import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from query_support.fixtures import Samples, Side
from structlog.testing import capture_logs

from notes_chassis.health import Health
from notes_contracts import Code
from notes_query.errors import SendFailed
from notes_query.monitoring.maintenance import Periodic
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing.dead_letter_relay import REFUSED, DeadLetterRelay, headers_of
from tests.harness.log_lines import written
from tests.harness.waiting import eventually


class Topic:
    """Takes dead letters, after as many failures as told, and never those at the refused offsets."""

    name = "the.dead-letters"

    def __init__(self, failures: int = 0, refused: frozenset[int] = frozenset()) -> None:
        self.failures, self.refused = failures, refused
        self.sent: list[DeadLetter] = []

    async def send(self, dead_letter: DeadLetter) -> None:
        if dead_letter.record.offset in self.refused:
            raise SendFailed("InvalidRecordError", refused=True)
        if self.failures:
            self.failures -= 1
            raise SendFailed("UnknownTopicOrPartitionError")
        self.sent.append(dead_letter)


def dead_letter(samples: Samples, offset: int = 5) -> DeadLetter:
    record = samples.raw(b"value", offset=offset, key=b"key", ce_id=b"\xff", empty=None)
    return DeadLetter(record, Code.UNDECODABLE, "why: é", samples.start)


def test_the_headers_say_what_and_where_and_keep_what_was_there(samples: Samples):
    assert headers_of(dead_letter(samples)) == [
        ("ce_id", b"\xff"),
        ("empty", None),
        ("dead-letter-code", b"undecodable"),
        ("dead-letter-reason", "why: é".encode()),
        ("dead-letter-topic", b"events"),
        ("dead-letter-partition", b"0"),
        ("dead-letter-offset", b"5"),
        ("dead-letter-time", b"2026-01-02T03:04:05.678Z"),
    ]


def test_a_dead_letter_of_a_dead_letter_has_its_headers_replaced(samples: Samples):
    first = dead_letter(samples)
    record = first.record._replace(headers=tuple(headers_of(first)), offset=9)  # type: ignore[attr-defined]

    again = headers_of(DeadLetter(record, Code.INTERNAL, "else", samples.start))

    assert [name for name, _ in again] == [name for name, _ in headers_of(first)]
    assert dict(again)["dead-letter-offset"] == b"9"


async def test_the_relay_sends_each_once_and_notes_it(samples: Samples, side: Side):
    await side.dead_letters.add([dead_letter(samples, 1), dead_letter(samples, 2), dead_letter(samples, 1)])
    topic = Topic()
    relay = DeadLetterRelay(side.dead_letters, topic, lambda: samples.start, Health())

    assert [await relay.step() for _ in range(3)] == [True, True, False]
    assert [sent.record.offset for sent in topic.sent] == [1, 2]


@pytest.mark.parametrize("refused", [frozenset(), frozenset(range(20))])
async def test_a_burst_of_dead_letters_is_one_line_of_the_log(samples: Samples, side: Side, refused: frozenset[int]):
    await side.dead_letters.add([dead_letter(samples, offset) for offset in range(20)])
    relay = DeadLetterRelay(side.dead_letters, Topic(refused=refused), lambda: samples.start, Health())
    with capture_logs() as lines:
        while await relay.step():
            pass
    assert len(lines) == 20
    (line,) = written(lines)
    assert line["source"].endswith(":0:0")


async def test_the_relay_outlives_a_kafka_that_is_away(samples: Samples, side: Side):
    await side.dead_letters.add([dead_letter(samples)])
    topic = Topic(failures=2)
    moments = iter(samples.start + timedelta(minutes=2 * number) for number in range(100))
    relay = DeadLetterRelay(side.dead_letters, topic, lambda: next(moments), Health())
    running = asyncio.create_task(Periodic("dead letters", relay.step, 0.01).run())

    await eventually(lambda: side.dead_letters.sent_at)
    running.cancel()
    await asyncio.wait([running])

    assert len(topic.sent) == 1


def unwritable() -> float | None:
    labels = {"topic": Topic.name, "partition": "0", "error": "UnknownTopicOrPartitionError"}
    return REGISTRY.get_sample_value("notes_query_dead_letters_unwritable", labels)


async def test_a_topic_that_cannot_be_written_is_named_until_it_can_be_and_no_dead_letter_is_lost_to_a_claim(
    samples: Samples, side: Side
):
    await side.dead_letters.add([dead_letter(samples)])
    topic, health = Topic(failures=1), Health()
    relay = DeadLetterRelay(side.dead_letters, topic, lambda: samples.start, health)

    with pytest.raises(SendFailed):
        await relay.step()
    part = health.parts["dead letters"]
    assert (part.ok, part.reason) == (
        False,
        "cannot be written: the.dead-letters partition 0: UnknownTopicOrPartitionError",
    )
    assert unwritable() == 1

    assert await relay.step() is True
    assert (len(topic.sent), health.parts["dead letters"].ok, unwritable()) == (1, True, None)


async def test_what_another_instance_has_sent_since_is_not_wrong_any_more(samples: Samples, side: Side):
    await side.dead_letters.add([dead_letter(samples)])
    health = Health()
    relay = DeadLetterRelay(side.dead_letters, Topic(failures=1), lambda: samples.start, health)
    with pytest.raises(SendFailed):
        await relay.step()
    assert await side.dead_letters.claim(samples.start) is not None  # by the other one, which is at it
    assert await relay.step() is False
    assert not health.parts["dead letters"].ok
    await side.dead_letters.sent(dead_letter(samples), samples.start)
    assert await relay.step() is False
    assert (health.parts["dead letters"].ok, unwritable()) == (True, None)


async def test_a_dead_letter_that_the_topic_refuses_holds_up_no_other_and_is_tried_again_later(
    samples: Samples, side: Side
):
    await side.dead_letters.add([dead_letter(samples, 1), dead_letter(samples, 2)])
    topic, moment = Topic(refused=frozenset({1})), samples.start
    relay = DeadLetterRelay(side.dead_letters, topic, lambda: moment, Health())

    assert [await relay.step() for _ in range(3)] == [True, True, False]
    assert [one.record.offset for one in topic.sent] == [2]

    topic.refused, moment = frozenset(), moment + REFUSED
    assert await relay.step() is True
    assert [one.record.offset for one in topic.sent] == [2, 1]
