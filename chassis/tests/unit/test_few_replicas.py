"""A topic that was made while brokers were down has too few copies for ever: it is named, and stops nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from notes_chassis.health import Health
from notes_chassis.kafka import topics
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.topics import TopicCheck, differences, make_topics, provision

CLUSTER = Cluster("127.0.0.1:1")
SAID = "topic one has replicas 1, not 3"


@dataclass(frozen=True)
class Topic:
    name: str = "one"
    partitions: int = 2
    retention_ms: int = 7_000_000
    max_bytes: int = 2_000_000


class Admin:
    """Of a cluster with so many brokers and one topic, whose partitions have so many replicas."""

    def __init__(self, brokers: int, replicas: tuple[int, ...], insync: int) -> None:
        self.brokers, self.replicas, self.altered = brokers, replicas, 0
        self.settings = {
            "cleanup.policy": "delete",
            "max.message.bytes": "2000000",
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(insync),
            "retention.bytes": "-1",
            "retention.ms": "7000000",
        }

    async def list_topics(self) -> list[str]:
        return ["one"]

    async def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [{"node_id": number} for number in range(self.brokers)]}

    async def describe_topics(self, _: Any) -> list[Any]:
        return [{"topic": "one", "partitions": [{"replicas": list(range(count))} for count in self.replicas]}]

    async def describe_configs(self, _: Any) -> list[Any]:
        entries = [(name, value, False, 1) for name, value in self.settings.items()]
        return [SimpleNamespace(resources=[(0, "", 2, "one", entries)])]

    async def alter_configs(self, wanted: Any) -> list[Any]:
        self.altered += 1
        self.settings |= wanted[0].configs
        return [SimpleNamespace(resources=[(0, "", 2, "one")])]

    async def find_coordinator(self, _: str) -> None:
        pass


def give(monkeypatch: pytest.MonkeyPatch, admin: Admin) -> None:
    @asynccontextmanager
    async def opened(_: Cluster) -> AsyncIterator[Admin]:
        yield admin

    monkeypatch.setattr(topics, "_admin", opened)


async def test_fewer_copies_than_the_brokers_can_keep_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, Admin(3, (3, 1), insync=1))
    (found,) = await differences(CLUSTER, [Topic()])
    assert (str(found), found.mendable) == (SAID, False)

    async def well(*_: Any) -> list[Any]:
        return [SimpleNamespace(name="one", problem=None)]

    monkeypatch.setattr(topics, "states", well)
    assert await TopicCheck(CLUSTER, [Topic()], Health()).check() == SAID


@pytest.mark.parametrize(("brokers", "replicas", "insync"), [(1, 1, 1), (2, 2, 1), (2, 3, 2), (3, 3, 2), (5, 3, 2)])
async def test_as_many_as_there_can_be_are_enough(
    monkeypatch: pytest.MonkeyPatch, brokers: int, replicas: int, insync: int
) -> None:
    give(monkeypatch, Admin(brokers, (replicas, replicas), insync))
    assert await differences(CLUSTER, [Topic()]) == []


async def test_a_cluster_that_has_grown_stops_no_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = Admin(3, (1, 1), insync=1)
    give(monkeypatch, admin)
    assert await provision(CLUSTER, [Topic()]) == ([], [], [SAID])
    assert admin.altered == 0
    admin.settings["retention.ms"] = "1000"
    assert await provision(CLUSTER, [Topic()]) == ([], ["topic one has retention.ms 1000, not 7000000"], [SAID])


def test_the_command_names_them_and_says_that_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, Admin(3, (1, 1), insync=1))
    with capture_logs() as said:
        assert make_topics(CLUSTER, [Topic()], 5.0) == 0
    assert [(line["event"], line.get("reason")) for line in said] == [
        ("topics are there", None),
        ("topics have fewer replicas than the brokers can keep", SAID),
    ]
