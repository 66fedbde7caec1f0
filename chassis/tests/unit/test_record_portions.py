"""What is large inside is decompressed in a thread, and nothing of it is lost."""

import asyncio
import zlib
from typing import Any, Final

import pytest
from aiokafka import TopicPartition
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from notes_chassis.kafka import decompression
from notes_chassis.kafka.record_batches import BoundedRecords
from notes_chassis.kafka.record_parser import KEPT
from notes_chassis.kafka.record_portions import POLL_BYTES
from tests.harness.raw_batches import number

MIB: Final = 1024 * 1024
PACK: Final = {1: gzip_encode, 2: snappy_encode, 3: lz4_encode, 4: zstd_encode}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompression, "INLINE_BYTES", 10_000)
    monkeypatch.setattr(decompression, "_INLINE_PACKED_BYTES", 100)
    monkeypatch.setattr(decompression, "_inline_buffer", bytearray(10_000))


def batch(first: int, values: list[bytes], codec: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 1 << 40)
    for at, value in enumerate(values):
        builder.append(at, 1_000, None, value, [])
    data = bytearray(builder.build())
    data[:8] = first.to_bytes(8)
    return bytes(data)


def field_of_zeros(first: int, mebibytes: int) -> bytes:
    """Return a batch in gzip of one record with a value of so many mebibytes, and one behind it."""
    start = batch(first, [b"", b"last"])

    body, rest = start[61:], mebibytes * MIB
    packer = zlib.compressobj(1, wbits=31)
    length = 4 + len(number(rest)) + rest + 1
    parts = [packer.compress(number(length) + b"\0\0\0\1" + number(rest))]
    parts += [packer.compress(bytes(MIB)) for _ in range(mebibytes)]
    parts += [packer.compress(b"\0" + body[1 + body[0] // 2 :]), packer.flush()]
    packed = b"".join(parts)
    head = bytearray(start[:61])
    head[8:12], head[22] = (49 + len(packed)).to_bytes(4), 1
    head[17:21] = calc_crc32c(bytes(head[21:]) + packed).to_bytes(4)
    return bytes(head) + packed


class Fetched:
    """A fetcher of aiokafka's that has fetched these batches of each partition, and nothing else."""

    def __init__(self, *partitions: bytes) -> None:
        self.positions = dict.fromkeys(range(len(partitions)), 0)
        self.fetcher: Any = object.__new__(Fetcher)
        self.fetcher._subscriptions = self
        self.fetcher._fetch_waiters = set()
        self.fetcher._wait_consume_future = None
        self.fetcher._closed = False
        self.fetcher._loop = asyncio.get_running_loop()
        self.fetcher._records = {}
        for partition, data in enumerate(partitions):
            at = TopicPartition("t", partition)
            records = PartitionRecords(at, BoundedRecords(data), [], 0, None, None, True, 1)
            self.fetcher._records[at] = FetchResult(
                at, assignment=Assignment(self.positions), partition_records=records, backoff=0
            )

    reassignment_in_progress = False

    async def poll(self, within_s: float = 5) -> Any:
        return await self.fetcher.fetched_records((), within_s, 500)

    async def all(self) -> list[tuple[int, int, Any]]:
        found = []
        while self.fetcher._records:
            for at, records in (await self.poll()).items():
                found += [(at.partition, record.offset, record.value) for record in records]
                assert self.positions[at.partition] >= records[-1].offset + 1
        return found


class Assignment:
    """Every partition is assigned, and where it was read to."""

    active = True

    def __init__(self, positions: dict[int, int]) -> None:
        self._positions = positions

    def state_value(self, at: Any) -> Any:
        return State(self._positions, at.partition)


class State:
    paused = False

    def __init__(self, positions: dict[int, int], partition: int) -> None:
        self._positions, self._partition = positions, partition
        self.position = positions[partition]

    def consumed_to(self, offset: int) -> None:
        self._positions[self._partition] = offset


@pytest.mark.parametrize("codec", PACK)
async def test_large_and_small_batches_are_handed_out_whole_and_in_order(codec: int) -> None:
    values = [[b"a", b"b"], [b"%d" % n * 900_000 for n in range(5)], [b"c"], [b"d" * 50_000] * 3, [b"e"]]
    data, wanted = b"", []
    for group in values:
        data += batch(len(wanted), group, codec)
        wanted += group
    found = await Fetched(data, data).all()
    for partition in range(2):
        assert [value[1:] for value in found if value[0] == partition] == list(enumerate(wanted))


async def test_small_records_do_not_wait_for_large_ones() -> None:
    fetched = Fetched(field_of_zeros(0, 24), batch(0, [b"a"], 1))
    assert [at.partition for at in await fetched.poll()] == [1]
    found = await fetched.all()
    assert [(offset, len(value)) for _, offset, value in found] == [(0, KEPT), (1, 4)]


async def test_the_loop_goes_on_while_a_field_without_end_is_skipped() -> None:
    fetched, turns = Fetched(field_of_zeros(0, 40)), 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turning = asyncio.create_task(turn())
    found = await fetched.all()
    turning.cancel()
    assert [(offset, len(value)) for _, offset, value in found] == [(0, KEPT), (1, 4)]
    assert turns > 100


@pytest.mark.parametrize("size", [5, 50_000], ids=["on the loop", "in a thread"])
async def test_what_was_read_before_a_corrupt_batch_is_handed_out_and_the_batch_is_told(size: int) -> None:
    corrupt = bytearray(batch(1, [b"x" * 100]))
    corrupt[-20] ^= 1
    fetched = Fetched(batch(0, [b"a" * size], 1) + bytes(corrupt))
    assert [(record.offset, len(record.value)) for group in (await fetched.poll()).values() for record in group] == [
        (0, size)
    ]
    assert fetched.positions == {0: 1}
    again = Fetched(bytes(corrupt))
    with pytest.raises(CorruptRecordException):
        await again.poll()
    assert again.positions == {0: 0}


async def test_a_poll_is_bounded_in_bytes_and_the_partitions_take_turns() -> None:
    fetched, polls = Fetched(*[batch(0, [bytes(MIB)] * 10)] * 8, batch(0, [b"small"] * 3)), []
    while fetched.fetcher._records:
        polls.append(await fetched.poll(0))  # nothing is unpacked in a thread, so nothing has to be waited for
    assert all(
        sum(len(record.value) for group in poll.values() for record in group) <= POLL_BYTES + MIB for poll in polls
    )
    assert TopicPartition("t", 8) in polls[0] | polls[1] | polls[2]
    assert sum(len(group) for poll in polls for group in poll.values()) == 8 * 10 + 3
