"""Makes topics, and tells in /readyz and in the log which are missing, unreadable, or not as they should be."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
import uvloop
from aiokafka.errors import KafkaError

from notes_chassis.health import Health
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.fetches import public_reason
from notes_chassis.kafka.topic_settings import Topic
from notes_chassis.kafka.topic_state import states
from notes_chassis.kafka.topics import differences, provision
from notes_chassis.process import once

log = structlog.get_logger()

EVERY_S: Final = 60.0
AGAIN_S: Final = 5.0
"""Seconds between looks, and between looks while something is wrong."""
PART: Final = "topics"


@dataclass(slots=True)
class TopicCheck:
    """One a process. `run` ends by cancellation only. While Kafka is away the last look counts."""

    cluster: Cluster
    topics: Sequence[Topic]
    health: Health

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            try:
                reason = await self.look()
            except (KafkaError, OSError) as error:
                log.info("topics were not looked at, trying again", error=public_reason(error))
                await asyncio.sleep(AGAIN_S)
                continue
            if reason != self.health.report(PART, ok=reason is None, reason=reason):
                log.warning("topics are not as they should be" if reason else "topics are well", reason=reason)
            await asyncio.sleep(AGAIN_S if reason else EVERY_S)

    async def look(self) -> str | None:
        """Return what is wrong, in words. Raises KafkaError, OSError."""
        found = await states(self.cluster, [topic.name for topic in self.topics])
        problems = [state.problem for state in found if state.problem is not None]
        readable = {state.name for state in found if state.problem is None}
        try:
            problems += map(str, await differences(self.cluster, [one for one in self.topics if one.name in readable]))
        except KafkaError as error:  # such as: may not be described
            problems.append(f"the topics' settings are not known: {type(error).__name__}")
        return "; ".join(problems) or None


def make_topics(cluster: Cluster, topics: Sequence[Topic], within_s: float) -> int:
    """Create the topics that are missing and mend the others, as a command of its own; return the exit code.

    Kafka has `within_s` seconds to answer.
    """

    async def make() -> None:
        made = await provision(cluster, topics)
        log.info("topics are there", created=made.created, mended=made.mended)
        if made.left:
            log.warning("topics have fewer replicas than the brokers can keep", reason="; ".join(made.left))

    return uvloop.run(once("Kafka", make, (OSError, TimeoutError, KafkaError), within_s))
