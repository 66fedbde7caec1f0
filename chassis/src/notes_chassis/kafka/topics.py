"""Creates the topics that are missing, and mends what is too little for them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, TopicAlreadyExistsError, for_code

from notes_chassis.kafka.clients import close, started
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.process import Refused

REPLICAS: Final = 3
"""Copies of every record, where there are as many brokers."""
PARTITIONS: Final = "partitions"
SET_ON_THE_TOPIC: Final = (1,)
"""Sources of a setting, as Kafka numbers them, that belong to the topic itself."""
COORDINATOR_S: Final = 10.0
"""Seconds that a new cluster gets to be ready for consumer groups."""
SEEN_S: Final = 10.0
"""Seconds that brokers get to tell of new topics and of changes."""


class Topic(Protocol):
    """A topic as it should be. `retention_ms` -1 is for ever; `max_bytes` is the largest record."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def partitions(self) -> int:
        """How many."""

    @property
    def retention_ms(self) -> int:
        """How long records are kept, at least."""

    @property
    def max_bytes(self) -> int:
        """The largest record, at least."""


class Difference(NamedTuple):
    """A setting of a topic that is not as it should be. `mendable`: it can be changed in place."""

    topic: str
    setting: str
    present: str
    wanted: str
    mendable: bool = True

    def __str__(self) -> str:
        if self.setting == PARTITIONS:
            return f"topic {self.topic} has {self.present} partitions, not {self.wanted}"
        return f"topic {self.topic} has {self.setting} {self.present}, not {self.wanted}"


class TopicMismatch(Refused):
    """A topic is there, is not as it should be, and could not be mended; the text says what."""


async def provision(cluster: Cluster, topics: Iterable[Topic]) -> tuple[list[str], list[str]]:
    """Create those topics that do not exist and mend the others; return the names created and what was mended.

    What is created can be read and written then.
    Raises TopicMismatch, and KafkaError or OSError where the cluster refuses or is away.
    """
    wanted = {topic.name: topic for topic in topics}
    async with _admin(cluster) as admin:
        created, missing = [], sorted(set(wanted) - set(await admin.list_topics()))
        if missing:
            replicas = min(REPLICAS, len((await admin.describe_cluster())["brokers"]))
            created = await _create(admin, [_new(wanted[name], replicas) for name in missing])
            await _seen(admin, missing)
        present = [topic for name, topic in wanted.items() if name not in created]
        found = await _differences(admin, present)
        await _mend(admin, [one for one in found if one.mendable])
        left = await _left(admin, present) if found else []
        await _coordinator(admin)
    if left:
        raise TopicMismatch("; ".join(map(str, left)))
    return created, list(map(str, found))


async def _left(admin: Any, topics: list[Topic]) -> list[Difference]:
    """Return what is still not as it should be. The answer to a change comes before the broker tells of it, too."""
    until = time.monotonic() + SEEN_S
    while True:
        left = await _differences(admin, topics)
        if not any(one.mendable for one in left) or time.monotonic() >= until:
            return left
        await asyncio.sleep(0.05)


async def _create(admin: Any, topics: list[NewTopic]) -> list[str]:
    """Create topics; return the names of those that nobody else created in the meantime."""
    created = []
    for name, code, *_ in (await admin.create_topics(topics)).topic_errors:
        error = for_code(code)
        if not code:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise error(f"topic {name} was not created")
    return sorted(created)


async def _seen(admin: Any, names: list[str]) -> None:
    """Wait until topics can be read and written: the answer to their creation comes before the broker tells of them.

    A broker that takes longer is no reason to fail: whoever uses the topics waits as well, and tells.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(SEEN_S):
            while True:
                if all(map(_usable, await admin.describe_topics(names))):
                    return
                await asyncio.sleep(0.05)


def _usable(described: Any) -> bool:
    partitions = described["partitions"]
    return bool(partitions) and all(one["leader"] >= 0 for one in partitions)


async def differences(cluster: Cluster, topics: Iterable[Topic]) -> list[Difference]:
    """Return in what the topics that exist are not as they should be. Raises KafkaError, OSError."""
    wanted = {topic.name: topic for topic in topics}
    async with _admin(cluster) as admin:
        there = set(await admin.list_topics())
        return await _differences(admin, [topic for name, topic in wanted.items() if name in there])


async def _differences(admin: Any, topics: list[Topic]) -> list[Difference]:
    if not topics:
        return []
    described = {one["topic"]: one["partitions"] for one in await admin.describe_topics([one.name for one in topics])}
    configs = await _configs(admin, [topic.name for topic in topics])
    found = []
    for topic in topics:
        partitions = described[topic.name]
        if len(partitions) != topic.partitions:
            has, wants = f"{len(partitions)}", f"{topic.partitions}"
            found.append(Difference(topic.name, PARTITIONS, has, wants, mendable=False))
        replicas = min((len(one["replicas"]) for one in partitions), default=1)
        present = {name: value for name, (value, _) in configs[topic.name].items()}
        found += [
            Difference(topic.name, name, present.get(name, "unknown"), value)
            for name, value in _settings(topic, replicas).items()
            if not _enough(name, present.get(name), value)
        ]
    return found


def _settings(topic: Topic, replicas: int) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "max.message.bytes": f"{topic.max_bytes}",
        "min.insync.replicas": f"{max(1, replicas - 1)}",
        "retention.bytes": "-1",  # else the broker's own bound in bytes removes what is to be kept for a time
        "retention.ms": f"{topic.retention_ms}",
    }


def _enough(name: str, present: str | None, wanted: str) -> bool:
    """Return whether a setting will do. Who keeps records longer, or takes larger ones, has a reason."""
    if present is None or name in ("cleanup.policy", "min.insync.replicas"):
        return present == wanted
    has, wants = int(present), int(wanted)
    return has == -1 or (wants != -1 and has >= wants)


async def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, tuple[str, bool]]]:
    """Return each topic's settings: the value, and whether it was set on the topic itself."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            if code:
                raise for_code(code)(f"settings of topic {name}: {message}")
            found[name] = {entry[0]: (entry[1], entry[3] in SET_ON_THE_TOPIC) for entry in entries}
    return found


async def _mend(admin: Any, found: list[Difference]) -> None:
    """Change settings in place. aiokafka can only replace all that were set on a topic, so these are sent again."""
    names = sorted({one.topic for one in found})
    configs = await _configs(admin, names) if names else {}
    for topic in names:
        kept = {name: value for name, (value, own) in configs[topic].items() if own}
        changed = {one.setting: one.wanted for one in found if one.topic == topic}
        (answer,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, kept | changed)])
        for code, message, *_ in answer.resources:
            if code:
                raise TopicMismatch(f"topic {topic} could not be changed: {message or for_code(code).__name__}")


async def _coordinator(admin: Any) -> None:
    """Have a new cluster make the topic of consumers' offsets, which takes it a moment when it is first asked for it.

    Consumers that come in that moment log errors. Where we may not ask, or it takes long, they can wait themselves.
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
        topic_configs=_settings(topic, replicas),
    )


@asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[Any]:
    admin: Any = await started(AIOKafkaAdminClient(**cluster.client()))
    try:
        yield admin
    finally:
        await close(admin)
