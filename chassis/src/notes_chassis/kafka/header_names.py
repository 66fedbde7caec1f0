"""Read batches in which the name of a header is not UTF-8.

Kafka takes any bytes for a header's name; aiokafka 0.14 raises UnicodeDecodeError while it unpacks the batch. That is
no KafkaError, nobody catches it, the position does not move, and one such record would stop all partitions of the
consumer for ever. Here the batch is parsed again by aiokafka's own Python parser, with a buffer that shows such names
with backslashes. This reaches into the library: a test on a real broker says whether it still holds.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Any, Final, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH: Final = Struct(">8xi")
"""The head of a batch: its base offset, and the bytes that follow."""


def tolerate_any_header_name() -> None:
    """Make every consumer of this process read such batches."""
    fetcher.MemoryRecords = TolerantRecords


class TolerantRecords:
    """aiokafka's MemoryRecords, with batches that can be read whatever their headers are called."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records = MemoryRecords(data)
        self._position = 0

    def size_in_bytes(self) -> int:
        """Return the size of all batches."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Return whether there is another batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> "TolerantBatch | None":
        """Return the next batch."""
        batch = self._records.next_batch()
        if batch is None:
            return None
        start = self._position
        (length,) = _LENGTH.unpack_from(self._data, start)
        self._position = start + _LENGTH.size + length
        return TolerantBatch(batch, self._data[start : self._position])


class TolerantBatch:
    """A batch; everything but reading its records is the original's."""

    def __init__(self, batch: Any, data: bytes) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            parser: Any = iter(_DefaultRecordBatchPy(bytearray(self._data)))
            parser._buffer = _Buffer(parser._buffer)  # noqa: SLF001 - there is no other way in
            records: Iterator[Any] = parser
            return records


class _Buffer(bytearray):
    """Decodes anything."""

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        found = super().__getitem__(index)
        return _Buffer(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
