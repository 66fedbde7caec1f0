"""What one look into fetched records hands out is bounded by bytes as well as by number."""

from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.consumer.fetcher import FetchResult

from notes_chassis.kafka.record_batches import BoundedRecords
from notes_chassis.kafka.record_portions import PARTITION_BYTES, POLL_BYTES


class Listed:
    """As much of aiokafka's PartitionRecords as handing out needs."""

    next_fetch_offset = 0

    def __init__(self, records: list[Any]) -> None:
        self._iterator = iter(records)
        self._records = BoundedRecords(b"")

    def __iter__(self) -> Any:
        return self._iterator


class Fetched:
    """As much of aiokafka's FetchResult as handing out needs."""

    def __init__(self, records: list[Any]) -> None:
        self._topic_partition = None
        self._partition_records: Any = Listed(records)

    def check_assignment(self, _: Any) -> bool:
        return True

    def has_more(self) -> bool:
        return self._partition_records is not None

    def _update_position(self) -> None:
        pass

    getall = FetchResult.getall


def consumed(size: int, headers: tuple[tuple[str, bytes], ...] = ()) -> Any:
    return ConsumerRecord("t", 0, 0, 0, 0, None, b"x" * size, None, -1, size, headers)


def test_one_record_is_handed_out_however_large_it_is() -> None:
    fetched = Fetched([consumed(2 * POLL_BYTES), consumed(1)])
    assert [len(fetched.getall(500)) for _ in range(2)] == [1, 1]


def test_many_headers_count_too() -> None:
    fetched = Fetched([consumed(1, (("h", b""),) * 100_000)] * 3)
    assert len(fetched.getall(500)) == 1


def test_small_records_are_bounded_by_their_number_alone() -> None:
    assert len(Fetched([consumed(500)] * 5_000).getall(1_000)) == 1_000
    assert PARTITION_BYTES > 500 * 1_000
