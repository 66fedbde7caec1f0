"""The gateway: puts a command on Kafka, as any upstream would."""

from typing import Protocol

from notes_contracts import Written


class CommandTopic(Protocol):
    """The topic that commands go to."""

    async def send(self, record: Written) -> None:
        """Send, and wait until it is acknowledged. Raises TopicUnavailable and CommandTooLarge."""

    async def check(self) -> None:
        """Return if commands can be sent. Raises TopicUnavailable."""


class CommandTooLarge(Exception):
    """The topic takes no record of this size, however often it is sent."""


class TopicUnavailable(Exception):
    """Kafka is away or too slow. The command may or may not arrive: send it again under the same id."""
