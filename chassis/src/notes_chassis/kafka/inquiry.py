"""Questions about topics, outside every consumer and producer."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from aiokafka.client import AIOKafkaClient

from notes_chassis.kafka.clients import close
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.topic_state import TopicState, topic_states

ANSWER_S: Final = 10.0


class Inquiry:
    """Asks for topics again and again, with one connection that stays while Kafka answers."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._client: Any = None

    async def states(self, names: Iterable[str]) -> list[TopicState]:
        """Ask for topics. Raises KafkaError, OSError and TimeoutError while Kafka is away."""
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
        client, self._client = self._client, None
        await close(client)
