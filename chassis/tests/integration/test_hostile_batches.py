"""What a real broker takes, or its disk makes of it, costs nobody a record, and no other partition any time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.codec import gzip_encode
from chassis_support.consuming import Consuming

from notes_chassis.unread import CORRUPT, why_unread
from tests.harness.raw_batches import FORGED, body_of, checked_lz4, number, put_batch, sealed
from tests.servers.own_kafka import own_kafka


@dataclass
class Raw(Consuming):
    """Reads records that are not texts, too, and sends batches as they are."""

    offsets: list[int] = field(default_factory=list)

    async def process(self, records: Sequence[Any]) -> None:
        self.offsets += [record.offset for record in records if record.partition == 0]
        self.read += [why_unread(record.headers) or (record.value or b"null").decode() for record in records]

    async def put(self, batch: bytes) -> None:
        await put_batch(self.kafka, self.topic, 0, batch)

    async def within(self, partition: int) -> float:
        """Return the seconds that the slowest of five records of this partition takes."""
        longest = 0.0
        for _ in range(5):
            name, began = f"{partition} at {time.monotonic()}", time.monotonic()
            await self.send(name, partition=partition)
            await self.until(lambda name=name: name in self.read)  # type: ignore[misc]
            longest = max(longest, time.monotonic() - began)
        return longest


def on_disk(folder: Path, old: bytes, new: bytes) -> None:
    """Change the records of partition 0."""
    (log,) = folder.rglob("test-*-0/00000000000000000000.log")
    log.write_bytes(log.read_bytes().replace(old, new))


@pytest.fixture
async def consuming(servers: Any) -> Any:
    made = Raw(servers.kafka)
    await made.create()
    yield made
    await made.delete()


async def test_a_record_that_forges_its_offset_costs_no_other_one(consuming: Raw) -> None:
    await consuming.send("before")
    async with consuming.running():
        await consuming.until(lambda: "before" in consuming.read)
        await consuming.put(sealed(number(len(FORGED)) + FORGED, 1, base=0))
        await consuming.until(lambda: "null" in consuming.read)
    await consuming.send(*[f"b{number}" for number in range(12)])  # while nobody reads: what was committed counts
    async with consuming.running():
        await consuming.until(lambda: "b11" in consuming.read)
    assert consuming.read == ["before", "null", *[f"b{number}" for number in range(12)]]
    assert consuming.offsets == list(range(14))


SHORT: Final = number((body_of(1)[0] >> 1) - 1) + body_of(2)[1:]


@pytest.mark.parametrize(
    ("codec", "packed"), [(1, gzip_encode(SHORT)), (3, checked_lz4(body_of(2))[:-1] + b"x")], ids=["length", "checksum"]
)
async def test_a_batch_that_cannot_be_read_is_told_and_passed(consuming: Raw, codec: int, packed: bytes) -> None:
    async with consuming.running():
        await consuming.send("first", partition=1)
        await consuming.until(lambda: "first" in consuming.read)
        await consuming.put(sealed(packed, 2, codec, base=0))
        await consuming.send("behind")
        assert await consuming.within(1) < 3.0
        await consuming.until(lambda: "behind" in consuming.read)
        assert consuming.part.ok
    assert consuming.offsets == [0, 1, 2]
    assert consuming.read.count(CORRUPT.decode()) == 2


async def test_a_batch_that_the_disk_has_spoilt_holds_up_its_partition_alone_and_is_named(tmp_path: Path) -> None:
    with own_kafka(tmp_path, {}) as address:
        consuming = Raw(address)
        await consuming.create()
        await consuming.send("before", "SPOILT", "behind")
        on_disk(tmp_path, b"SPOILT", b"spoilt")
        async with consuming.running():
            await consuming.until(lambda: "before" in consuming.read)
            await consuming.until(lambda: consuming.part.reason is not None)
            assert consuming.part.reason == f"partition 0 waits: {consuming.topic} is corrupt from offset 1 on"
            assert await consuming.within(1) < 3.0
            assert not consuming.part.ok
            on_disk(tmp_path, b"spoilt", b"SPOILT")
            await consuming.until(lambda: "behind" in consuming.read and consuming.part.ok)
        assert consuming.offsets == [0, 1, 2]


async def test_a_spoilt_batch_that_retention_has_removed_is_told_no_longer(tmp_path: Path) -> None:
    with own_kafka(tmp_path, {}) as address:
        consuming = Raw(address)
        await consuming.create()
        await consuming.send("before", "SPOILT")
        on_disk(tmp_path, b"SPOILT", b"spoilt")
        async with consuming.running():
            await consuming.until(lambda: consuming.part is not None and consuming.part.reason is not None)
            assert "is corrupt from offset 1 on" in consuming.part.reason
            async with consuming.admin() as admin:
                await admin.delete_records({TopicPartition(consuming.topic, 0): RecordsToDelete(before_offset=2)})
            await consuming.until(lambda: consuming.part.ok)  # without another record
        assert consuming.offsets == [0]
