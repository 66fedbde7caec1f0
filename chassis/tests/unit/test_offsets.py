"""Where a partition is read from: what Kafka says of it, and what the store does."""

import asyncio
from collections.abc import Collection

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from chassis_support.fake_consumer import FakeConsumer
from chassis_support.loop import AwayError, Loop
from chassis_support.records import TOPIC, record
from structlog.testing import capture_logs

from notes_chassis.kafka import commits
from notes_chassis.kafka.offsets import Start, first_offset, metadata_of
from notes_chassis.process import Backoff


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "INTERVAL_S", 0.01)
    monkeypatch.setattr(Backoff, "next", lambda _: 0.0)


@pytest.mark.parametrize(
    ("committed", "expected"),
    [
        (None, (7, Start.NEW_GROUP)),
        (OffsetAndMetadata(8, metadata_of("new")), (8, Start.COMMITTED)),
        (OffsetAndMetadata(8, metadata_of("old")), (7, Start.NEW_TOPIC)),
        (OffsetAndMetadata(10, ""), (7, Start.NEW_TOPIC)),
        (OffsetAndMetadata(9, ""), (9, Start.COMMITTED)),
    ],
)
def test_a_partition_is_read_from_what_was_committed_for_this_topic_else_from_its_beginning(
    committed: OffsetAndMetadata | None, expected: tuple[int, Start]
) -> None:
    assert first_offset(committed, "new", beginning=7, end=9) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"), [(metadata_of("topic"), (7, Start.STORED)), ("", (9, Start.COMMITTED))]
)
def test_the_store_overrules_its_own_offsets_and_not_those_that_a_person_has_set(
    metadata: str, expected: tuple[int, Start]
) -> None:
    """Who passes over a batch that cannot be read, with Kafka's own tool, writes no metadata."""
    assert first_offset(OffsetAndMetadata(9, metadata), "topic", beginning=0, end=20, stored=7) == expected


async def test_a_batch_of_many_new_partitions_waits_for_kafka_as_long_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of the consumer's connection waits behind its fetch, so all of it is asked at once."""
    new = [TopicPartition(TOPIC, number) for number in range(12)]
    loop = Loop(*((at, 0) for at in new))
    asked, both = list[tuple[str, int]](), asyncio.Barrier(2)

    async def ask(name: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        asked.append((name, len(partitions)))
        await both.wait()
        return dict.fromkeys(partitions, int(name == "ends"))

    monkeypatch.setattr(FakeConsumer, "beginning_offsets", lambda _, partitions: ask("beginnings", partitions))
    monkeypatch.setattr(FakeConsumer, "end_offsets", lambda _, partitions: ask("ends", partitions))
    async with asyncio.timeout(5):
        await loop.turn()
    assert asked == [("beginnings", 12), ("ends", 12)]
    assert loop.batches == [[(at.partition, 0) for at in new]]


async def test_a_group_without_offsets_says_what_it_cannot_read_and_counts_no_loss() -> None:
    """It may be new, or have been away for longer than its offsets and the records are kept: Kafka tells both alike."""
    at = TopicPartition(TOPIC, 1)
    loop = Loop((at, 7), (TopicPartition(TOPIC, 2), 0))
    loop.kafka.beginning = {at: 7}
    before = loop.count("lost_records_total"), loop.count("partition_resets_total")
    with capture_logs() as logs:
        await loop.turn()
        loop.kafka.log.append(record(at, 8))
        await loop.turn()
    (said,) = (line for line in logs if line["event"].startswith("no offset is committed"))
    assert (said["log_level"], said["consumer"], said["beginnings"]) == ("warning", "things", {"things-1": 7})
    assert (loop.count("lost_records_total"), loop.count("partition_resets_total")) == before


@pytest.mark.parametrize("fetched_before", [True, False])
async def test_where_the_store_knows_less_than_was_committed_records_are_read_again(fetched_before: bool) -> None:
    """As after a backup: what is known of no partition is at its beginning, and what is further stays as it was."""
    one, two, three, new = (TopicPartition(TOPIC, number) for number in (1, 2, 3, 4))
    loop = Loop(*((at, offset) for at in (one, two, three) for offset in range(4)), (new, 0), stored={1: 2, 3: 9})
    loop.kafka.committed_offsets = {one: 3, two: 3, three: 3}
    if not fetched_before:  # a look at the consumer comes first
        await loop.consumer.positions.learn(loop.kafka, [one, two, three, new])
    await loop.turn()
    await loop.turn()
    processed = [place for batch in loop.batches for place in batch]
    assert sorted(processed) == [(1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3), (3, 3), (4, 0)]
    assert loop.kafka.committed_offsets == {one: 4, two: 4, three: 4, new: 1}
    assert loop.stored == {1: 4, 2: 4, 3: 4, 4: 1}


async def test_what_the_store_does_not_tell_yet_is_waited_for() -> None:
    at = TopicPartition(TOPIC, 1)
    loop = Loop(*((at, offset) for offset in range(3)), stored={1: 1}, silent=2)
    loop.kafka.committed_offsets = {at: 2}
    await loop.turn()
    await loop.turn()
    assert loop.batches == [[(1, 1), (1, 2)]]


async def test_nothing_is_committed_that_the_store_was_not_told_of() -> None:
    at = TopicPartition(TOPIC, 1)
    loop = Loop((at, 0), stored={})
    await loop.consumer.positions.learn(loop.kafka, [at])
    loop.deaf = 2
    await loop.turn()
    assert (loop.deaf, loop.stored, loop.kafka.commits) == (0, {1: 1}, [{at: 1}])

    loop.kafka.log.append(record(at, 1))
    loop.deaf = 99
    await loop.turn()
    assert (loop.stored, loop.kafka.commits) == ({1: 1}, [{at: 1}])


async def test_the_store_is_told_where_a_partition_is_read_from_though_no_record_comes() -> None:
    """One write for all partitions. Without it one that rests is read from its beginning once nobody else tells."""
    one, two, new = (TopicPartition(TOPIC, number) for number in (1, 2, 3))
    loop = Loop((one, 0), stored={1: 1})
    loop.consumer.positions.begin("id", 0)
    loop.kafka.committed_offsets, loop.kafka.beginning = {one: 1, two: 7}, {two: 7}
    await loop.consumer.positions.learn(loop.kafka, [one, two, new])
    assert (loop.stored, loop.topic_ids) == ({1: 1, 2: 7, 3: 0}, ["id", "id"])


async def test_where_a_partition_is_read_from_is_not_decided_before_the_store_is_told() -> None:
    at = TopicPartition(TOPIC, 1)
    loop = Loop((at, 0), stored={}, deaf=1)
    with pytest.raises(AwayError):
        await loop.consumer.positions.learn(loop.kafka, [at])
    assert loop.consumer.guard.expected == {}
    await loop.consumer.positions.learn(loop.kafka, [at])
    assert (loop.stored, loop.consumer.guard.expected) == ({1: 0}, {at: 0})
