"""Batches byte by byte, as no client's library would make them."""

from typing import Any, Final

import cramjam
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

BASE: Final = 1_000
"""The first offset of a batch."""


def number(value: int) -> bytes:
    """Return a number of variable length, zigzag coded."""
    value = (value << 1 ^ value >> 63) & (1 << 64) - 1
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def record(at: int, value: bytes, *, attributes: bytes = b"\0") -> bytes:
    """Return a record with one header."""
    body = attributes + b"\0" + number(at) + number(3) + b"key" + number(len(value)) + value
    body += number(1) + number(2) + b"id" + number(1) + b"x"
    return number(len(body)) + body


def body_of(count: int) -> bytes:
    """Return so many records with the values v0, v1, ..."""
    return b"".join(record(at, b"v%d" % at) for at in range(count))


FORGED: Final = b"\x80\x00\x00" + number(8) + b"\x01\x01\x02\x00" + number(5) + b"abc\x01\x00"
"""To Kafka, a record at 0 with a key of eight bytes. To whoever takes the first byte for part of a number, one at 8."""


def checked_lz4(body: bytes) -> bytes:
    """Return the bytes in lz4 with a checksum behind them, as no client of Kafka's does it."""
    packer: Any = cramjam.lz4.Compressor(content_checksum=True, block_linked=False)
    packer.compress(body)
    return bytes(packer.finish())


def sealed(body: bytes, count: int, codec: int = 0, *, last: int | None = None, base: int = BASE) -> bytes:
    """Return a batch with a true checksum.

    `last`: the last offset's distance from the first, `count` - 1 if None. `base`: what a broker takes has 0.
    """
    distance = count - 1 if last is None else last
    behind = codec.to_bytes(2) + distance.to_bytes(4) + (1_000).to_bytes(8) * 2
    behind += (-1).to_bytes(8, signed=True) + (-1).to_bytes(2, signed=True) + (-1).to_bytes(4, signed=True)
    behind += count.to_bytes(4) + body
    head = base.to_bytes(8) + (9 + len(behind)).to_bytes(4) + bytes(4) + b"\2"
    return head + calc_crc32c(behind).to_bytes(4) + behind


async def put_batch(address: str, topic: str, partition: int, batch: bytes) -> None:
    """Send a batch as it is."""
    client: Any = AIOKafkaClient(bootstrap_servers=address)
    await client.bootstrap()
    try:
        client.add_topic(topic)
        await client.force_metadata_update()
        node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        answer = await client.send(node, ProduceRequest(None, -1, 5_000, [(topic, [(partition, batch)])]))
        assert answer.topics[0][1][0][1] == 0, "the broker takes it"
    finally:
        await client.close()
