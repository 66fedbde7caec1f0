"""What the settings of a topic should be, and in what those of a topic that is there are not."""

from typing import Any, Final, NamedTuple, Protocol

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

REPLICAS: Final = 3
"""Copies of every record, where there are as many brokers."""
PARTITIONS: Final = "partitions"
COPIES: Final = "replicas"
EXACTLY: Final = ("cleanup.policy", "message.timestamp.type", "min.insync.replicas")
"""Settings of which no other value will do; of the rest, more will."""
SET_ON_THE_TOPIC: Final = (1,)
"""Sources of a setting, as Kafka numbers them, that belong to the topic itself."""


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


async def compared(admin: Any, topics: list[Topic]) -> list[Difference]:
    """Return in what topics that exist are not as they should be."""
    if not topics:
        return []
    described = {one["topic"]: one["partitions"] for one in await admin.describe_topics([one.name for one in topics])}
    there = await configs(admin, [topic.name for topic in topics])
    possible = await copies(admin)
    found = []
    for topic in topics:
        partitions = described[topic.name]
        if len(partitions) != topic.partitions:
            has, wants = f"{len(partitions)}", f"{topic.partitions}"
            found.append(Difference(topic.name, PARTITIONS, has, wants, mendable=False))
        replicas = min((len(one["replicas"]) for one in partitions), default=1)
        if replicas < possible:  # it was made while fewer brokers were up
            found.append(Difference(topic.name, COPIES, f"{replicas}", f"{possible}", mendable=False))
        present = {name: value for name, (value, _) in there[topic.name].items()}
        found += [
            Difference(topic.name, name, present.get(name, "unknown"), value)
            for name, value in settings_of(topic, replicas).items()
            if not _enough(name, present.get(name), value)
        ]
    return found


async def copies(admin: Any) -> int:
    """Return how many copies of a record the brokers that are up can keep."""
    return min(REPLICAS, len((await admin.describe_cluster())["brokers"]))


def settings_of(topic: Topic, replicas: int) -> dict[str, str]:
    """Return the settings of a topic with so many copies."""
    return {
        "cleanup.policy": "delete",
        "max.message.bytes": f"{topic.max_bytes}",
        # Else a producer's clock an hour ahead has all of its records refused, and retention removes at once what an
        # upstream sends with an old time.
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": f"{max(1, replicas - 1)}",
        "retention.bytes": "-1",  # else the broker's own bound in bytes removes what is to be kept for a time
        "retention.ms": f"{topic.retention_ms}",
    }


def _enough(name: str, present: str | None, wanted: str) -> bool:
    """Return whether a setting will do. Who keeps records longer, or takes larger ones, has a reason."""
    if present is None or name in EXACTLY:
        return present == wanted
    has, wants = int(present), int(wanted)
    return has == -1 or (wants != -1 and has >= wants)


async def configs(admin: Any, names: list[str]) -> dict[str, dict[str, tuple[str, bool]]]:
    """Return each topic's settings: the value, and whether it was set on the topic itself."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            if code:
                raise for_code(code)(f"settings of topic {name}: {message}")
            found[name] = {entry[0]: (entry[1], entry[3] in SET_ON_THE_TOPIC) for entry in entries}
    return found
