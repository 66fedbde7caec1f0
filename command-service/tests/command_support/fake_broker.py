"""Kafka as the relay sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from notes_command.application.relay_ports import Record, SendFailed


@dataclass
class FakeBroker:
    """Takes what is sent, in order, up to the first record that `fails` has a failure for.

    Such a failure says what arrived before it; it costs the rest of the call.
    """

    fails: Callable[[Record], SendFailed | None] = lambda _: None
    taken: list[Record] = field(default_factory=list)
    calls: list[list[int]] = field(default_factory=list)
    closed: int = 0

    async def send(self, records: Sequence[Record]) -> None:
        self.calls.append([record.position for record in records])
        arrived: list[int] = []
        for record in records:
            if failure := self.fails(record):
                raise SendFailed(str(failure), [*failure.acknowledged, *arrived], refused=failure.refused)
            self.taken.append(record)
            arrived.append(record.position)

    async def close(self) -> None:
        self.closed += 1


def away(_: Record) -> SendFailed:
    return SendFailed("no broker", [], refused=False)
