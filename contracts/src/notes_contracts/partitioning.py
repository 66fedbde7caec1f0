"""The partition of a key, as Kafka's Java client counts it (murmur2), so that all writers agree.

Written here because a service needs the number before it has a Kafka client: it is stored with the outgoing row.
The constants are those of MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2).
"""

from struct import Struct

_M = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF
_WORDS = {length: Struct(f"<{length // 4}I") for length in range(64)}


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of `key` on a topic with that many partitions."""
    length = len(key)
    words = _WORDS.get(length) or Struct(f"<{length // 4}I")
    h = _SEED ^ length
    for word in words.unpack_from(key):
        k = word * _M & _MASK
        h = (h * _M ^ (k ^ k >> 24) * _M) & _MASK
    tail = key[length & ~3 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    h ^= h >> 15
    return (h & 0x7FFFFFFF) % partitions
