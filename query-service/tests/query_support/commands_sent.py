"""What the driver sends to MongoDB, counted."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import bson
from pymongo import monitoring


@dataclass
class Commands(monitoring.CommandListener):
    """What was sent to MongoDB, by command and collection; and how many documents it found."""

    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked_bytes: int = 0
    found: int = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.sent[event.command_name, str(event.command.get(event.command_name))] += 1
        if event.command_name in ("find", "aggregate"):
            self.asked_bytes += len(bson.encode(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        cursor = event.reply.get("cursor", {})
        self.found += len(cursor.get("firstBatch", cursor.get("nextBatch", ())))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@contextmanager
def counted() -> Iterator[Commands]:
    """Count what clients send that are made in this block."""
    commands = Commands()
    monitoring.register(commands)
    try:
        yield commands
    finally:
        monitoring._LISTENERS.command_listeners.remove(commands)
