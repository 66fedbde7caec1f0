"""Creates the topics that are missing, mends their settings, and reports those that are not as they should be."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import structlog
import uvloop
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, TopicAlreadyExistsError, for_code

from notes_chassis.health import Health
from notes_chassis.kafka.clients import close, started
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.fetches import public_reason
from notes_chassis.kafka.topic_settings import (
    REPLICAS,
    Difference,
    Topic,
    compared,
    configs,
    possible_replicas,
    settings_of,
)
from notes_chassis.kafka.topic_state import states
from notes_chassis.process import Refused, once

log = structlog.get_logger()

COORDINATOR_S: Final = 10.0
"""Seconds that a new cluster gets to be ready for consumer groups."""
SEEN_S: Final = 10.0
"""Seconds that brokers get to show new topics and changes."""
CHECK_S: Final = 60.0
"""Seconds between two checks of the topics."""
TROUBLE_CHECK_S: Final = 5.0
"""The same while something is wrong."""
PART: Final = "topics"


class Provisioned(NamedTuple):
    """The topics that were created, what was mended, and what was left because it stops nothing; both in words."""

    created: list[str]
    mended: list[str]
    left: list[str]


class TopicMismatch(Refused):
    """A topic is there, is not as it should be, and could not be mended; the text says what."""


async def provision(cluster: Cluster, topics: Iterable[Topic]) -> Provisioned:
    """Create those topics that do not exist and mend the others.

    Topics that were created can be read and written afterwards.
    Raises TopicMismatch, and KafkaError or OSError where the cluster refuses or is away.
    """
    wanted = {topic.name: topic for topic in topics}
    async with _admin(cluster) as admin:
        missing = sorted(set(wanted) - set(await admin.list_topics()))
        created: list[str] = []
        if missing:
            replicas = await possible_replicas(admin)
            created = await _create(admin, [_new(wanted[name], replicas) for name in missing])
            await _wait_until_usable(admin, missing)
        present = [topic for name, topic in wanted.items() if name not in created]
        found = await compared(admin, present)
        mendable = [difference for difference in found if difference.mendable]
        await _mend(admin, mendable)
        left = await _left(admin, present) if found else []
        await _wait_for_coordinator(admin)
    # A cluster that has grown has topics with fewer replicas than it could keep: no reason to stop a deployment.
    if wrong := [difference for difference in left if difference.setting != REPLICAS]:
        raise TopicMismatch("; ".join(map(str, wrong)))
    return Provisioned(created, list(map(str, mendable)), list(map(str, left)))


async def _left(admin: Any, topics: list[Topic]) -> list[Difference]:
    """Return what is still not as it should be. A broker answers a change before it shows it, so wait for SEEN_S."""
    until = time.monotonic() + SEEN_S
    while True:
        left = await compared(admin, topics)
        if not any(difference.mendable for difference in left) or time.monotonic() >= until:
            return left
        await asyncio.sleep(0.05)


async def _create(admin: Any, topics: list[NewTopic]) -> list[str]:
    """Create topics; return the names of those that were not created by somebody else meanwhile."""
    created = []
    for name, code, *_ in (await admin.create_topics(topics)).topic_errors:
        error = for_code(code)
        if not code:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise error(f"topic {name} was not created")
    return sorted(created)


async def _wait_until_usable(admin: Any, names: list[str]) -> None:
    """Wait until topics can be read and written: a broker answers their creation before it shows them.

    A broker that takes longer is no reason to fail: whoever uses the topics waits as well, and says so.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(SEEN_S):
            while True:
                if all(map(_usable, await admin.describe_topics(names))):
                    return
                await asyncio.sleep(0.05)


def _usable(described: Any) -> bool:
    partitions = described["partitions"]
    return bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)


async def differences(cluster: Cluster, topics: Iterable[Topic]) -> list[Difference]:
    """Return how the topics that exist differ from what they should be. Raises KafkaError, OSError."""
    wanted = {topic.name: topic for topic in topics}
    async with _admin(cluster) as admin:
        existing = set(await admin.list_topics())
        return await compared(admin, [topic for name, topic in wanted.items() if name in existing])


async def _mend(admin: Any, found: list[Difference]) -> None:
    """Change settings in place. aiokafka can only replace all settings of a topic, so the others are sent again."""
    names = sorted({difference.topic for difference in found})
    present = await configs(admin, names) if names else {}
    for topic in names:
        kept = {name: value for name, (value, own) in present[topic].items() if own}
        changed = {difference.setting: difference.wanted for difference in found if difference.topic == topic}
        (answer,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, kept | changed)])
        for code, message, *_ in answer.resources:
            if code:
                raise TopicMismatch(f"topic {topic} could not be changed: {message or for_code(code).__name__}")


async def _wait_for_coordinator(admin: Any) -> None:
    """Ask for a group's coordinator until there is one. A new cluster then makes the topic of committed offsets.

    Consumers that start before it is there log errors. If asking is forbidden or takes long, they wait themselves.
    """
    with suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(COORDINATOR_S):
            while True:
                try:
                    await admin.find_coordinator("any")
                except GroupCoordinatorNotAvailableError:
                    await asyncio.sleep(0.1)
                else:
                    return


def _new(topic: Topic, replicas: int) -> NewTopic:
    return NewTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=replicas,  # aiokafka does not let -1, the cluster's default, through
        topic_configs=settings_of(topic, replicas),
    )


@asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[Any]:
    admin: Any = await started(AIOKafkaAdminClient(**cluster.client()))
    try:
        yield admin
    finally:
        await close(admin)


@dataclass(slots=True)
class TopicCheck:
    """Reports to readiness whether the topics are as they should be. While Kafka is away the last report stands."""

    cluster: Cluster
    topics: Sequence[Topic]
    health: Health

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            try:
                reason = await self.check()
            except (KafkaError, OSError) as error:
                log.info("topics were not looked at, trying again", error=public_reason(error))
                await asyncio.sleep(TROUBLE_CHECK_S)
                continue
            if self.health.report(PART, ok=reason is None, reason=reason):
                log.warning("topics are not as they should be" if reason else "topics are well", reason=reason)
            await asyncio.sleep(TROUBLE_CHECK_S if reason else CHECK_S)

    async def check(self) -> str | None:
        """Return what is wrong, in words. Raises KafkaError, OSError."""
        found = await states(self.cluster, [topic.name for topic in self.topics])
        problems = [state.problem for state in found if state.problem is not None]
        readable = {state.name for state in found if state.problem is None}
        try:
            existing = [topic for topic in self.topics if topic.name in readable]
            problems += map(str, await differences(self.cluster, existing))
        except KafkaError as error:  # for example: not allowed to describe them
            problems.append(f"the topics' settings are not known: {type(error).__name__}")
        return "; ".join(problems) or None


def make_topics(cluster: Cluster, topics: Sequence[Topic], within_s: float) -> int:
    """Create the topics that are missing and mend the others, once Kafka answers; return the exit code."""

    async def make() -> None:
        made = await provision(cluster, topics)
        log.info("topics are there", created=made.created, mended=made.mended)
        if made.left:
            log.warning("topics have fewer replicas than the brokers can keep", reason="; ".join(made.left))

    return uvloop.run(once("Kafka", make, (OSError, TimeoutError, KafkaError), within_s))
