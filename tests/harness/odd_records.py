"""A record that aiokafka's producer cannot write, though Kafka takes it: the name of a header is not UTF-8."""

from struct import pack_into
from typing import Any

from aiokafka.record.util import calc_crc32c

from tests.harness.kafka_io import Sent, producing

PLACEHOLDER, ODD = b"zzXX", b"zz\xff\xfe"
CRC, ATTRIBUTES = 17, 21
"""Offsets in a batch of record format 2."""


async def publish_with_odd_header_name(address: str, topic: str, record: Sent) -> None:
    """Publish `record` with one more header, whose name is not UTF-8."""
    async with producing(address) as producer:
        batch = producer.create_batch()
        headers = [*record.headers, (PLACEHOLDER.decode(), b"1")]
        batch.append(key=record.key, value=record.value, timestamp=None, headers=headers)
        batch.close()
        patch(batch)
        await (await producer.send_batch(batch, topic, partition=record.partition or 0))


def patch(batch: Any) -> None:
    build = batch._build

    def patched() -> bytes:
        buffer = bytearray(build())
        start = buffer.index(PLACEHOLDER)
        buffer[start : start + len(ODD)] = ODD
        pack_into(">I", buffer, CRC, calc_crc32c(bytes(buffer[ATTRIBUTES:])))
        return bytes(buffer)

    batch._build = patched
