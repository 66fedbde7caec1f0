"""Whether a topic is there, and whether it is the same as before: a topic that was made anew has another id.

aiokafka's version of the metadata request has no ids. So a later version is written out here.
"""

import asyncio
from collections.abc import Iterable
from io import BytesIO
from typing import Any, Final, NamedTuple
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from notes_chassis.kafka.aiokafka_internals import Consumer, client_of
from notes_chassis.kafka.clients import close
from notes_chassis.kafka.cluster import Cluster

ANSWER_S: Final = 10.0
NO_ID: Final = UUID(int=0)
"""In a request: the topic is named, not identified."""


class _Uuid(AbstractType[UUID]):  # type: ignore[misc] # aiokafka has no types
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_PARTITION: Final = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline", CompactArray(Int32)),
    ("tags", TaggedFields),
)
_TOPIC: Final = (
    ("error_code", Int16),
    ("name", CompactString("utf-8")),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(*_PARTITION)),
    ("authorized_operations", Int32),
    ("tags", TaggedFields),
)
_BROKER: Final = (
    ("node_id", Int32),
    ("host", CompactString("utf-8")),
    ("port", Int32),
    ("rack", CompactString("utf-8")),
    ("tags", TaggedFields),
)


class MetadataResponse_v12(Response):  # type: ignore[misc] # noqa: N801 - as aiokafka names them
    """The answer of brokers from 3.0 on."""

    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*_BROKER)),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        ("topics", CompactArray(*_TOPIC)),
        ("tags", TaggedFields),
    )


class MetadataRequest_v12(RequestStruct):  # type: ignore[misc] # noqa: N801
    """The request that brokers from 3.0 on answer with the ids of topics."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = MetadataResponse_v12
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicRequest(Request[MetadataRequest_v12]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: Iterable[str]) -> None:
        self._topics: list[Any] = [(NO_ID, name, {}) for name in names]

    def build(self, request_struct_class: type[MetadataRequest_v12]) -> MetadataRequest_v12:
        return request_struct_class(self._topics, False, False, {})  # noqa: FBT003 - neither create topics nor list rights


class TopicState(NamedTuple):
    """The state of a topic. `problem`: why it cannot be read, in words. `id`: empty if the broker knows no ids."""

    name: str
    id: str = ""
    partitions: int = 0
    problem: str | None = None


async def topic_states(client: Any, names: Iterable[str]) -> list[TopicState]:
    """Return the states of topics, by one request of a connected AIOKafkaClient.

    Raises KafkaError, OSError, TimeoutError.
    """
    try:
        answer = await client.send(client.get_random_node(), _TopicRequest(names))
    except (IncompatibleBrokerVersion, NotImplementedError):  # brokers before 3.0
        return await _without_ids(client, names)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # aiokafka cancels the requests of a connection that was lost.
        raise KafkaConnectionError("the connection was closed") from error
    return [_state(*topic) for topic in answer.topics]


def _state(code: int, name: str, topic_id: UUID, _: bool, partitions: list[Any], *__: Any) -> TopicState:  # noqa: FBT001
    error = for_code(code)
    if error is NoError:
        return TopicState(name, topic_id.hex, len(partitions))
    if error is UnknownTopicOrPartitionError:
        return TopicState(name, problem=f"there is no topic {name}")
    if error is TopicAuthorizationFailedError:
        return TopicState(name, problem=f"topic {name} may not be read: not authorized")
    return TopicState(name, problem=f"topic {name}: {error.__name__}")


async def _without_ids(client: Any, names: Iterable[str]) -> list[TopicState]:
    cluster = await client.fetch_all_metadata()
    partitions = {name: cluster.partitions_for_topic(name) for name in names}
    if not cluster.brokers():
        raise KafkaError("no broker is known")
    return [
        TopicState(name, partitions=len(numbers)) if numbers else TopicState(name, problem=f"there is no topic {name}")
        for name, numbers in partitions.items()
    ]


class TopicClient:
    """Asks for the states of topics again and again, on one connection that stays open while Kafka answers."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._client: Any = None

    async def states(self, names: Iterable[str]) -> list[TopicState]:
        """Return the states of topics. Raises KafkaError, OSError and TimeoutError while Kafka is away."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._client is None:
                    self._client = AIOKafkaClient(**self._cluster.client())
                    await self._client.bootstrap()
                return await topic_states(self._client, names)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connection."""
        client = self._client
        self._client = None
        await close(client)


async def states(cluster: Cluster, names: Iterable[str]) -> list[TopicState]:
    """Return the states of topics, asked for on a new connection. Raises as TopicClient.states does."""
    client = TopicClient(cluster)
    try:
        return await client.states(names)
    finally:
        await client.close()


async def state(cluster: Cluster, name: str) -> TopicState:
    """Return the state of one topic. Raises as `states` does."""
    (topic,) = await states(cluster, [name])
    return topic


async def look_at(consumer: Consumer, name: str) -> TopicState:
    """Return the state of one topic, asked for on a consumer's connection. Raises KafkaError, OSError, TimeoutError."""
    (topic,) = await topic_states(client_of(consumer), [name])
    return topic
