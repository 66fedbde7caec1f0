"""Topics are created as they should be, mended where that is possible, and never made by accident."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from chassis_support.consuming import Consuming

from notes_chassis.health import Health
from notes_chassis.kafka.clients import close, producer, see_topic, started
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.topic_settings import configs
from notes_chassis.kafka.topic_state import states
from notes_chassis.kafka.topics import TopicCheck, TopicMismatch, differences, provision
from tests.harness.waiting import eventually
from tests.servers.own_kafka import own_kafka

HOUR_MS = 3_600_000
SKEW_MS = 60_000
"""A broker that runs elsewhere has another clock."""


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int = 3
    retention_ms: int = 7_000_000
    max_bytes: int = 2_000_000


@pytest.fixture
async def consuming(servers: Any) -> AsyncIterator[Consuming]:
    made = Consuming(servers.kafka)
    yield made
    await made.delete()


async def test_what_is_created_is_as_it_should_be(consuming: Consuming) -> None:
    topic = Topic(consuming.topic)
    assert await provision(Cluster(consuming.kafka), [topic]) == ([topic.name], [], [])
    assert await differences(Cluster(consuming.kafka), [topic]) == []
    assert await provision(Cluster(consuming.kafka), [topic]) == ([], [], [])


async def test_of_many_who_create_a_topic_at_once_one_says_so(consuming: Consuming) -> None:
    topic = Topic(consuming.topic)
    said = await asyncio.gather(*(provision(Cluster(consuming.kafka), [topic]) for _ in range(8)))
    assert sorted(said) == [([], [], [])] * 7 + [([topic.name], [], [])]


async def test_too_little_is_named_and_mended_and_what_else_was_set_stays(consuming: Consuming) -> None:
    own = {"retention.ms": "1000", "max.message.bytes": "500", "cleanup.policy": "compact", "segment.ms": "77777777"}
    own |= {"retention.bytes": "1000000"}
    await consuming.create(3, **own)
    topic = Topic(consuming.topic)
    found = await differences(Cluster(consuming.kafka), [topic])
    too_little = {"retention.ms", "retention.bytes", "max.message.bytes", "cleanup.policy", "message.timestamp.type"}
    assert {difference.setting for difference in found} == too_little
    assert f"topic {topic.name} has message.timestamp.type CreateTime, not LogAppendTime" in map(str, found)
    assert f"topic {topic.name} has retention.ms 1000, not 7000000" in map(str, found)
    reason = await TopicCheck(Cluster(consuming.kafka), [topic], Health()).check()
    assert reason is not None
    assert "cleanup.policy compact, not delete" in reason
    created, mended, left = await provision(Cluster(consuming.kafka), [topic])
    assert (created, len(mended), left) == ([], 5, [])
    assert await differences(Cluster(consuming.kafka), [topic]) == []
    slower = Topic(topic.name, retention_ms=1)
    assert await differences(Cluster(consuming.kafka), [slower]) == [], "whoever keeps records longer has a reason"
    (kept,) = await differences(Cluster(consuming.kafka), [Topic(topic.name, retention_ms=-1)])
    assert (kept.setting, kept.wanted) == ("retention.ms", "-1")


async def test_another_number_of_partitions_cannot_be_mended(consuming: Consuming) -> None:
    await consuming.create(2)
    with pytest.raises(TopicMismatch, match="has 2 partitions, not 3"):
        await provision(Cluster(consuming.kafka), [Topic(consuming.topic)])


@pytest.mark.parametrize("made", [True, False], ids=["made by us", "made by an older release, and mended"])
async def test_a_record_has_the_time_at_which_the_broker_wrote_it_whatever_its_producer_says(
    consuming: Consuming, made: bool
) -> None:
    """A clock far ahead has nothing refused, and what is sent with an old time is not removed for its age."""
    if not made:
        await consuming.create(3)
    await provision(Cluster(consuming.kafka), [Topic(consuming.topic)])
    began = time.time() * 1000
    sender = await started(producer(Cluster(consuming.kafka), 5.0))
    try:
        old = await sender.send_and_wait(consuming.topic, b"old", timestamp_ms=round(began) - 8 * 24 * HOUR_MS)
        ahead = await sender.send_and_wait(consuming.topic, b"ahead", timestamp_ms=round(began) + 2 * HOUR_MS)
    finally:
        await close(sender)
    assert (old.timestamp_type, ahead.timestamp_type) == (1, 1)

    found: dict[bytes, tuple[int, int]] = {}

    async def noted(records: Sequence[Any]) -> None:
        found.update({record.value: (record.timestamp, record.timestamp_type) for record in records})

    consuming.process = noted  # type: ignore[method-assign]
    async with consuming.running():
        await consuming.until(lambda: len(found) == 2)
    ends = time.time() * 1000
    assert all(began - SKEW_MS < at < ends + SKEW_MS and kind == 1 for at, kind in found.values()), found


@pytest.fixture(scope="module")
def greedy_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of our own that makes every topic that somebody asks for, and removes records above so many bytes."""
    greedy = {"auto.create.topics.enable": "true", "log.retention.bytes": "1000000"}
    with own_kafka(tmp_path_factory.mktemp("kafka"), greedy) as address:
        yield address


async def test_a_broker_that_bounds_topics_in_bytes_does_not_bound_ours(greedy_kafka: str) -> None:
    topic = Topic("kept-for-ever", retention_ms=-1)
    await provision(Cluster(greedy_kafka), [topic])
    async with Consuming(greedy_kafka).admin() as admin:
        found = await configs(admin, [topic.name])
    assert (found[topic.name]["retention.bytes"], found[topic.name]["retention.ms"]) == (("-1", True), ("-1", True))


async def test_no_client_of_ours_makes_a_topic(greedy_kafka: str) -> None:
    consuming = Consuming(greedy_kafka)
    async with consuming.running():
        await consuming.until(lambda: consuming.part is not None)
    made = await started(producer(Cluster(greedy_kafka), 2.0))
    with pytest.raises(KafkaError):
        await see_topic(made, "nobody-made-this-1")
    await made.stop()
    plain = AIOKafkaProducer(bootstrap_servers=greedy_kafka)
    await plain.start()
    await plain.client.add_topic("nobody-made-this-2")
    await plain.stop()
    reader = AIOKafkaConsumer(bootstrap_servers=greedy_kafka)
    await reader.start()
    await reader._client.add_topic("nobody-made-this-3")
    await reader.stop()
    assert [state.problem for state in await states(Cluster(greedy_kafka), ["nobody-made-this-4"])] == [
        "there is no topic nobody-made-this-4"
    ]
    async with consuming.admin() as admin:
        assert (await admin.describe_topics(["nobody-made-this-5"]))[0]["error_code"]
        # The broker makes topics a moment later. It makes this one, since the request does not say no.
        await admin._client.send(1, MetadataRequest(["made-by-asking"], allow_auto_topic_creation=True))
        topics = await eventually(admin.list_topics, lambda found: "made-by-asking" in found)
        assert {name for name in topics if not name.startswith("__")} - {"kept-for-ever"} == {"made-by-asking"}
