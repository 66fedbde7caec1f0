import random
from typing import Final

import pytest
from aiokafka.partitioner import DefaultPartitioner, murmur2

from notes_contracts import partition_of

WHOLE: Final = 2**31
"""As many partitions as there are hashes: the partition is then the hash without its sign."""

# org.apache.kafka.common.utils.UtilsTest.testMurmur2, signed as Java has it
JAVA: Final = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), JAVA.items())
def test_a_key_is_hashed_as_java_hashes_it(key: bytes, hashed: int) -> None:
    assert partition_of(key, WHOLE) == hashed & 0x7FFFFFFF
    assert partition_of(key, 12) == (hashed & 0x7FFFFFFF) % 12


@pytest.mark.parametrize("length", [*range(70), 127, 128, 1000, 1001, 1002, 1003])
def test_a_key_of_any_length_and_bytes_goes_where_aiokafka_sends_it(length: int) -> None:
    source = random.Random(length)
    for key in (bytes(length), b"\xff" * length, *(source.randbytes(length) for _ in range(20))):
        assert partition_of(key, WHOLE) == murmur2(key) & 0x7FFFFFFF


@pytest.mark.parametrize("partitions", [1, 2, 3, 12, 100])
def test_every_writer_finds_the_same_partition_of_a_note(partitions: int) -> None:
    partitioner, source = DefaultPartitioner(), random.Random(partitions)
    everywhere = list(range(partitions))
    for _ in range(200):
        key = str(source.getrandbits(288)).encode()[:36]
        assert partition_of(key, partitions) == partitioner(key, everywhere, everywhere)
