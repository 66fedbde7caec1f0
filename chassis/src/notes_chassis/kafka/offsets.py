"""Watches that no offset is skipped.

A consumer's position moves when records are handed out, not when they are processed. If a batch in between is lost (a
handler that raised, a fetch that dropped what it had drained), the next one starts too late, and its commit would pass
what was never processed. So the next offset of every partition is kept, and a batch that starts beyond it is not
processed: the consumer is sought back, once. If the same later offset comes again there is nothing in between: control
records of a transaction, an aborted transaction, compaction, or retention.
"""

from dataclasses import dataclass, field

from aiokafka import TopicPartition


@dataclass(frozen=True, slots=True)
class Rewind:
    """Do not process: read this partition again from `offset`."""

    offset: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Process, though `missing` offsets from `expected` on did not come, twice."""

    expected: int
    missing: int


@dataclass(slots=True)
class OffsetGuard:
    """Pure bookkeeping for the partitions that are assigned."""

    _expected: dict[TopicPartition, int] = field(default_factory=dict)
    _rewound: dict[TopicPartition, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget everything: partitions were assigned anew, and their positions come from the committed offsets."""
        self._expected.clear()
        self._rewound.clear()

    def fetch_failed(self) -> None:
        """Take nothing for a hole that was not read again since: a failed fetch drops what it had drained."""
        self._rewound.clear()

    def knows(self, partition: TopicPartition) -> bool:
        """Return whether the next offset of the partition is known."""
        return partition in self._expected

    def expected(self, partition: TopicPartition) -> int:
        """Return the next offset of a partition that is known."""
        return self._expected[partition]

    def all(self) -> dict[TopicPartition, int]:
        """Return the next offsets of all partitions that are known."""
        return dict(self._expected)

    def expect(self, partition: TopicPartition, offset: int) -> None:
        """Note that everything before `offset` is done."""
        self._expected[partition] = offset

    def check(self, partition: TopicPartition, first: int) -> Rewind | Hole | None:
        """Judge a batch by its first offset in the partition. None: it is where it should be, or a repeat."""
        expected = self._expected.get(partition)
        if expected is None or first <= expected:
            self._rewound.pop(partition, None)
            return None
        if self._rewound.get(partition) != first:
            self._rewound[partition] = first
            return Rewind(expected)
        del self._rewound[partition]
        return Hole(expected, first - expected)
