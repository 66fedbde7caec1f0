"""What is said to be created was created by us, and can be used when we say so; what was mended is seen to be."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import InvalidTopicError, TopicAlreadyExistsError

from notes_chassis.kafka import topic_settings, topics
from notes_chassis.kafka.topic_settings import Difference

UNKNOWN = {"topic": "one", "partitions": []}
WITHOUT_LEADER = {"topic": "one", "partitions": [{"leader": 1}, {"leader": -1}]}
USABLE = {"topic": "one", "partitions": [{"leader": 1}, {"leader": 2}]}


class Admin:
    def __init__(self, *described: Any, errors: tuple[tuple[str, int], ...] = ()) -> None:
        self.described = list(described)
        self.errors = errors

    async def create_topics(self, _: Any) -> Any:
        return SimpleNamespace(topic_errors=[(*error, "") for error in self.errors])

    async def describe_topics(self, _: Any) -> Any:
        return [self.described.pop(0)]


async def test_a_topic_that_someone_else_created_is_not_ours() -> None:
    admin = Admin(errors=(("two", TopicAlreadyExistsError.errno), ("one", 0)))
    assert await topics._create(admin, [NewTopic("one", 1, 1), NewTopic("two", 1, 1)]) == ["one"]


async def test_a_topic_that_is_refused_is_an_error() -> None:
    with pytest.raises(InvalidTopicError, match="topic one was not created"):
        await topics._create(Admin(errors=(("one", InvalidTopicError.errno),)), [NewTopic("one", 1, 1)])


async def test_a_topic_is_waited_for_until_every_partition_has_a_leader() -> None:
    admin = Admin(UNKNOWN, WITHOUT_LEADER, USABLE)
    await topics._wait_until_usable(admin, ["one"])
    assert admin.described == []


async def test_a_topic_that_nobody_tells_of_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "SEEN_S", 0.01)
    admin = Admin(*[UNKNOWN] * 1000)
    await topics._wait_until_usable(admin, ["one"])
    assert admin.described


PARTITIONS = Difference("one", topic_settings.PARTITIONS, "3", "12", mendable=False)
RETENTION = Difference("one", "retention.ms", "1000", "7000000")


async def test_what_was_mended_is_looked_for_until_the_broker_tells_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [[RETENTION, PARTITIONS], [RETENTION, PARTITIONS], [PARTITIONS]]

    async def differences(*_: Any) -> list[Difference]:
        return answers.pop(0)

    monkeypatch.setattr(topics, "compared", differences)
    assert await topics._left(Admin(), []) == [PARTITIONS]
    monkeypatch.setattr(topics, "SEEN_S", 0.0)
    answers += [[RETENTION]]
    assert await topics._left(Admin(), []) == [RETENTION]
