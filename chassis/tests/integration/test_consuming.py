"""One consumer on a real broker, and everything that can happen to its topic."""

from collections import Counter
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from chassis_support.consuming import WITHIN_S, Consuming

from notes_chassis.kafka import fetches
from tests.harness.waiting import eventually


@pytest.fixture
async def consuming(servers: Any) -> Any:
    made = Consuming(servers.kafka)
    yield made
    await made.delete()


def values(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


@pytest.mark.parametrize("number", [2, 6, 9])
async def test_a_topic_made_anew_while_we_run_is_read_from_its_beginning(consuming: Consuming, number: int) -> None:
    await consuming.create()
    async with consuming.running():
        await consuming.send(*values("old", 6))
        await consuming.until(lambda: len(consuming.read) == 6)
        await consuming.delete()
        await consuming.create()
        await consuming.send(*values("new", number))
        await consuming.until(lambda: set(consuming.read) == {*values("old", 6), *values("new", number)})
        await consuming.until(lambda: consuming.part.ok)


@pytest.mark.parametrize("number", [2, 6, 9])
async def test_an_offset_of_the_old_topic_neither_skips_nor_blocks_the_new_one(
    consuming: Consuming, number: int
) -> None:
    await consuming.create()
    async with consuming.running():
        await consuming.send(*values("old", 6))
        await consuming.until(lambda: len(consuming.read) == 6)
    # An instance that was behind commits once more what it has done of the old topic.
    kept = await committed(consuming)
    await consuming.delete()
    # Kafka forgets them with the topic, a little later.
    await eventually(lambda: committed(consuming), lambda found: not found, within_s=WITHIN_S)
    await consuming.create()
    await commit(consuming, kept)
    await consuming.send(*values("new", number))
    async with consuming.running():
        await consuming.until(lambda: set(consuming.read) == {*values("old", 6), *values("new", number)})
        assert consuming.count("partition_resets_total") >= 1


async def test_a_topic_that_is_not_there_is_named_before_and_while_we_run(consuming: Consuming) -> None:
    async with consuming.running():
        await consuming.until(
            lambda: consuming.part and consuming.part.reason == f"there is no topic {consuming.topic}"
        )
        await consuming.create()
        await consuming.send("one")
        await consuming.until(lambda: consuming.read == ["one"] and consuming.part.ok)
        await consuming.delete()
        await consuming.until(lambda: consuming.part.reason == f"there is no topic {consuming.topic}")
        await consuming.create()
        await consuming.send("two")
        await consuming.until(lambda: consuming.read == ["one", "two"] and consuming.part.ok)


async def test_a_consumer_without_records_asks_once_a_second_and_gets_the_next_one_at_once(
    consuming: Consuming, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, questions, send = list[tuple[int, int]](), Counter[str](), AIOKafkaClient.send

    async def counted(self: Any, node: Any, request: Any, **options: Any) -> Any:
        questions[type(request).__name__] += 1
        if isinstance(request, FetchRequest):
            asked.append((request._max_wait_ms, request._min_bytes))
        return await send(self, node, request, **options)

    monkeypatch.setattr(AIOKafkaClient, "send", counted)
    monkeypatch.setattr(fetches, "REST_S", 0.0)
    await consuming.create()
    async with consuming.running():
        await consuming.until(lambda: len(asked) >= 2 and asked[-1] == (1000, 1))
        questions.clear()
        await consuming.until(lambda: questions["FetchRequest"] == 4)
        assert questions["MetadataRequest"] + questions["OffsetRequest"] <= 4, "two questions every three seconds"
        monkeypatch.setattr(fetches, "REST_S", 60.0)
        await consuming.send("one")
        await consuming.until(lambda: consuming.read == ["one"] and asked[-1] == (100, 1))


async def test_records_in_quick_succession_wait_for_more_of_them_where_the_reader_has_patience(
    consuming: Consuming, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, send = list[tuple[int, int]](), AIOKafkaClient.send

    async def noted(self: Any, node: Any, request: Any, **options: Any) -> Any:
        if isinstance(request, FetchRequest):
            asked.append((request._max_wait_ms, request._min_bytes))
        return await send(self, node, request, **options)

    monkeypatch.setattr(AIOKafkaClient, "send", noted)
    told = list[float]()

    def patience(apart_s: float) -> int:
        told.append(apart_s)
        return 40 if together else 0

    together, consuming.patience = True, patience
    await consuming.create()
    async with consuming.running():
        await consuming.send("one")
        await consuming.until(lambda: consuming.read == ["one"] and (40, fetches.FULL_BYTES) in asked)
        together = False
        await consuming.until(lambda: asked[-1] == (100, 1))
        asked.clear()
        await consuming.send("two")
        await consuming.until(lambda: consuming.read == ["one", "two"] and len(asked) > 1)
        assert set(asked) == {(100, 1)}
        assert told
        assert min(told) > 0


async def test_partitions_that_are_added_are_read_within_seconds(consuming: Consuming) -> None:
    consuming.kafka = f"{consuming.kafka}, {consuming.kafka}"  # two addresses, with a space
    await consuming.create(2)
    async with consuming.running():
        await consuming.send("one")
        await consuming.until(lambda: consuming.read == ["one"])
        await consuming.grow(3)
        await consuming.send("two", partition=2)
        await consuming.until(lambda: consuming.read == ["one", "two"])


async def test_small_transactions_are_no_losses(consuming: Consuming) -> None:
    await consuming.create()
    producer = AIOKafkaProducer(bootstrap_servers=consuming.kafka, transactional_id=consuming.topic)
    await producer.start()
    async with consuming.running():
        for number in range(40):
            await producer.begin_transaction()
            await producer.send_and_wait(consuming.topic, f"{number}".encode(), partition=number % 2)
            await (producer.abort_transaction() if number % 5 == 4 else producer.commit_transaction())
        await producer.stop()
        wanted = [f"{number}" for number in range(40) if number % 5 != 4]
        await consuming.until(lambda: len(consuming.read) >= len(wanted))
        assert sorted(consuming.read) == sorted(wanted)
        names = ("rewinds_total", "offset_holes_total", "lost_records_total", "partition_resets_total")
        assert {name: consuming.count(name) for name in names} == dict.fromkeys(names, 0)


async def test_an_open_transaction_is_told_and_its_end_as_well(consuming: Consuming) -> None:
    await consuming.create()
    producer = AIOKafkaProducer(bootstrap_servers=consuming.kafka, transactional_id=consuming.topic)
    await producer.start()
    async with consuming.running():
        await producer.begin_transaction()
        await producer.send_and_wait(consuming.topic, b"in it", partition=0)
        await consuming.send("behind it")
        await consuming.until(lambda: consuming.part and "open transaction" in (consuming.part.reason or ""))
        assert consuming.part.reason.startswith("2 records wait behind an open transaction in partition 0")
        assert consuming.count("uncommitted_records") == 2
        assert consuming.read == []
        await producer.commit_transaction()
        await consuming.until(lambda: consuming.part.ok and len(consuming.read) == 2)
        assert consuming.count("uncommitted_records") == 0
    await producer.stop()


async def committed(consuming: Consuming) -> Any:
    async with consuming.admin() as admin:
        return await admin.list_consumer_group_offsets(consuming.topic)


async def commit(consuming: Consuming, offsets: Any) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=consuming.kafka, group_id=consuming.topic, enable_auto_commit=False)
    await consumer.start()
    consumer.assign(list(offsets))
    await consumer.commit({at: (one.offset, one.metadata) for at, one in offsets.items()})
    await consumer.stop()
