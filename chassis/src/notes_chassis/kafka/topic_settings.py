"""The settings that a topic should have, and how those of an existing topic differ."""

from typing import Any, Final, NamedTuple, Protocol

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

MAX_REPLICAS: Final = 3
"""Replicas of every record, if there are as many brokers."""
PARTITIONS: Final = "partitions"
REPLICAS: Final = "replicas"
EXACTLY: Final = ("cleanup.policy", "message.timestamp.type", "min.insync.replicas")
"""Settings that need exactly this value; of the others, more will do."""
DYNAMIC_TOPIC_CONFIG: Final = 1
"""Kafka's number for the source of a setting that was set on the topic itself."""


class Topic(Protocol):
    """A topic as it should be."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def partitions(self) -> int:
        """Return the number of its partitions."""

    @property
    def retention_ms(self) -> int:
        """Return how long records are kept at least; -1 is for ever."""

    @property
    def max_bytes(self) -> int:
        """Return the size up to which records are taken at least."""


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


async def compared(admin: Any, topics: list[Topic]) -> list[Difference]:
    """Return how topics that exist differ from what they should be."""
    if not topics:
        return []
    names = [topic.name for topic in topics]
    partitions_of = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics(names)}
    configs_of = await configs(admin, names)
    possible = await possible_replicas(admin)
    found = []
    for topic in topics:
        partitions = partitions_of[topic.name]
        if len(partitions) != topic.partitions:
            present, wanted = str(len(partitions)), str(topic.partitions)
            found.append(Difference(topic.name, PARTITIONS, present, wanted, mendable=False))
        replicas = min((len(partition["replicas"]) for partition in partitions), default=1)
        if replicas < possible:  # the topic was made while fewer brokers were up
            found.append(Difference(topic.name, REPLICAS, str(replicas), str(possible), mendable=False))
        values = {name: value for name, (value, _) in configs_of[topic.name].items()}
        found += [
            Difference(topic.name, name, values.get(name, "unknown"), value)
            for name, value in settings_of(topic, replicas).items()
            if not _enough(name, values.get(name), value)
        ]
    return found


async def possible_replicas(admin: Any) -> int:
    """Return how many replicas of a record the brokers that are up can keep."""
    return min(MAX_REPLICAS, len((await admin.describe_cluster())["brokers"]))


def settings_of(topic: Topic, replicas: int) -> dict[str, str]:
    """Return the settings of a topic with this number of replicas."""
    return {
        "cleanup.policy": "delete",
        "max.message.bytes": f"{topic.max_bytes}",
        # Else brokers refuse all records of a producer whose clock is an hour ahead, and retention removes at once the
        # records that an upstream sends with an old time.
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": f"{max(1, replicas - 1)}",
        "retention.bytes": "-1",  # else the broker's own limit in bytes removes records before their time
        "retention.ms": f"{topic.retention_ms}",
    }


def _enough(name: str, present: str | None, wanted: str) -> bool:
    """Return whether a setting will do. Whoever keeps records longer, or takes larger ones, has a reason."""
    if present is None or name in EXACTLY:
        return present == wanted
    present_number = int(present)
    wanted_number = int(wanted)
    return present_number == -1 or (wanted_number != -1 and present_number >= wanted_number)


async def configs(admin: Any, names: list[str]) -> dict[str, dict[str, tuple[str, bool]]]:
    """Return each topic's settings by name: the value, and whether it was set on the topic itself."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            if code:
                raise for_code(code)(f"settings of topic {name}: {message}")
            found[name] = {entry[0]: (entry[1], entry[3] == DYNAMIC_TOPIC_CONFIG) for entry in entries}
    return found
