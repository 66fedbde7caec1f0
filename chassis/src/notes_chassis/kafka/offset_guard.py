"""Whether a batch starts where the one before it ended.

A consumer's position moves when records are handed out, not when they are processed. If a batch in between is lost (a
handler raised, a fetch dropped what it had drained), the next batch starts too late, and its commit would pass records
that were never processed. So the guard keeps the next offset of every partition. A batch that starts beyond it is not
processed: the consumer seeks back, once. If the same later offset comes again, nothing is in between: control records
of a transaction, an aborted transaction, compaction, or retention.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from aiokafka import TopicPartition


class Verdict(Enum):
    """What the guard says of a batch, by its first offset.

    IN_PLACE: the batch starts at the expected offset, or is a repeat. SKIPPED: the offsets before it have to be read
    again. HOLE: the offsets before it did not come, twice; the batch is to be processed.
    """

    IN_PLACE = auto()
    SKIPPED = auto()
    HOLE = auto()


@dataclass(slots=True)
class OffsetGuard:
    """Pure bookkeeping for the assigned partitions. `expected`: the next offset, where that is known."""

    expected: dict[TopicPartition, int] = field(default_factory=dict)
    _rewound: dict[TopicPartition, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget everything: after an assignment positions come from the committed offsets."""
        self.expected.clear()
        self._rewound.clear()

    def fetch_failed(self) -> None:
        """Prove every hole anew: a failed fetch drops what it had drained, so a jump after it proves nothing."""
        self._rewound.clear()

    def check(self, partition: TopicPartition, first: int) -> Verdict:
        """Judge a batch by its first offset in the partition."""
        if first <= self.expected.get(partition, first):
            self._rewound.pop(partition, None)
            return Verdict.IN_PLACE
        if self._rewound.get(partition) != first:
            self._rewound[partition] = first
            return Verdict.SKIPPED
        del self._rewound[partition]
        return Verdict.HOLE
