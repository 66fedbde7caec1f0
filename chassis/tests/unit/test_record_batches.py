"""Any batch can be read, in portions, however it is compressed and however large it is inside."""

import tracemalloc
import zlib
from typing import Any, Final

import pytest
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from structlog.testing import capture_logs

from notes_chassis.kafka import decompression, record_batches, record_parser
from notes_chassis.kafka.decompression import WHOLE_BYTES
from notes_chassis.kafka.record_batches import BoundedRecords
from notes_chassis.kafka.record_parser import HEADER_BYTES, KEPT, Parser
from notes_chassis.unread import CORRUPT, CUT, HEADERS_KEPT, KEY_KEPT, TOO_LARGE, UNREAD, why_unread
from tests.harness.raw_batches import number

CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
codecs = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
MIB: Final = 1024 * 1024
LIMITS: Final = (
    (record_parser, "HEADERS_KEPT"),
    (record_batches, "_LIBRARY_BYTES"),
    (decompression, "WHOLE_BYTES"),
    (decompression, "_PIECE_BYTES"),
)
Headers = list[tuple[str, bytes | None]]


def batch(codec: int, values: list[bytes | None], headers: Headers | None = None, key: bytes = b"key") -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 1 << 40)
    for offset, value in enumerate(values):
        builder.append(offset, 1_000 + offset, key if offset % 2 else None, value, headers or [])
    return bytes(builder.build())


def facts(record: Any) -> tuple[Any, ...]:
    return (record.offset, record.timestamp, record.timestamp_type, record.key, record.value, list(record.headers))


def read(records: Any) -> list[tuple[Any, ...]]:
    found = []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        found += [facts(record) for record in one]
    return found


@codecs
def test_batches_are_read_as_the_library_reads_them(codec: int) -> None:
    headers: Headers = [("a", b"1"), ("ü", None), ("", b""), ("a", b"2" * 100)]
    data = batch(codec, [b"v%d" % n * n for n in range(200)] + [None, b""], headers) + batch(codec, [b"x"])
    assert read(BoundedRecords(data)) == read(MemoryRecords(data))


@codecs
@pytest.mark.parametrize("largest", [1, 100_000], ids=["parsed by the library", "parsed here"])
def test_where_the_broker_set_the_time_all_records_of_a_batch_have_it(codec: int, largest: int) -> None:
    stamped = bytearray(batch(codec, [b"v%d" % n for n in range(100)] + [b"x" * largest]))
    stamped[22] |= 8  # LogAppendTime
    stamped[35:43] = (9_876_543_210).to_bytes(8)  # the broker's time, which it writes over the largest of the batch
    stamped[17:21] = calc_crc32c(stamped[21:]).to_bytes(4)
    found = read(BoundedRecords(bytes(stamped)))
    assert found == read(MemoryRecords(bytes(stamped)))
    assert {record[1:3] for record in found} == {(9_876_543_210, 1)}


@codecs
def test_a_batch_too_large_to_be_unpacked_at_once_is_read_the_same(codec: int) -> None:
    data = batch(codec, [b"%d" % n * 40_000 for n in range(100)], [("a", b"1"), ("b", None)])
    assert read(BoundedRecords(data)) == read(MemoryRecords(data))


@codecs
def test_a_header_name_that_is_not_utf8_is_shown_with_backslashes(codec: int) -> None:
    values: list[bytes | None] = [b"v%d" % n for n in range(100)]
    plain = batch(0, values, [("MARK", b"1")]).replace(b"MARK", b"M\xffRK", 150).replace(b"M\xffRK", b"MARK", 70)
    data = plain if codec == 0 else repacked(plain, codec)
    records = BoundedRecords(data)
    found = [facts(record) for record in records.next_batch() or ()]
    assert [record[4] for record in found] == values
    assert [record[5] for record in found] == [[("MARK", b"1")]] * 70 + [[("M\\xffRK", b"1")]] * 30


def repacked(plain: bytes, codec: int) -> bytes:
    """Return an uncompressed batch as a compressed one; the length and the codec of its head are those of the new."""
    pack = {1: gzip_encode, 2: snappy_encode, 3: lz4_encode, 4: zstd_encode}[codec]
    body = bytes(pack(plain[61:]))
    head = bytearray(plain[:61])
    head[8:12] = (49 + len(body)).to_bytes(4)
    head[22] |= codec
    return bytes(head) + body


def test_forty_mebibytes_in_a_batch_is_never_in_memory() -> None:
    one = zlib.compressobj(1, wbits=31)
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 40)
    builder.append(0, 1, None, b"x" * MIB, [])
    record = bytes(builder.build())[61:]
    assert record[4:7] == b"\0\0\0", "attributes, time, offset"
    packed = b"".join(one.compress(record[:6] + number(at) + record[7:]) for at in range(40)) + one.flush()
    head = bytearray(bytes(builder.build())[:61])
    head[8:12], head[22], head[57:61] = (49 + len(packed)).to_bytes(4), 1, (40).to_bytes(4)
    head[23:27] = (39).to_bytes(4)
    tracemalloc.start()
    records = BoundedRecords(bytes(head) + packed).next_batch()
    assert records is not None
    assert sum(len(record.value) for record in records) == 40 * MIB
    assert tracemalloc.get_traced_memory()[1] < 3 * WHOLE_BYTES
    tracemalloc.stop()


def test_a_value_without_end_is_cut_and_what_follows_is_read() -> None:
    data = batch(1, [b"a", b"x" * (KEPT + 7 * MIB), b"b"], [("h", b"1")])
    found = read(BoundedRecords(data))
    assert [len(record[4]) for record in found] == [1, KEPT, 1]
    assert [record[5] for record in found] == [[("h", b"1")]] * 3


def test_headers_without_end_are_cut() -> None:
    found = read(BoundedRecords(batch(1, [b"a", b"b"], [("h", b"x" * MIB)] * 12)))
    assert [record[4] for record in found] == [b"a", b"b"]
    assert [len(record[5]) for record in found] == [3, 3]
    assert [why_unread(record[5]) for record in found] == [CUT.decode()] * 2


@codecs
@pytest.mark.parametrize("length", [3 * MIB, 12 * MIB], ids=["unpacked at once", "in pieces"])
def test_a_key_without_end_is_cut_and_says_so(codec: int, length: int) -> None:
    headers: Headers = [("h", b"1")]
    found = read(BoundedRecords(batch(codec, [b"a", b"b", b"c"], headers, key=b"k" * length)))
    assert [record[4] for record in found] == [b"a", b"b", b"c"]
    assert [len(record[3] or b"") for record in found] == [0, KEY_KEPT, 0]
    assert [why_unread(record[5]) for record in found] == [None, CUT.decode(), None]
    assert [record[5][:1] for record in found] == [headers] * 3


@pytest.mark.parametrize("name", ["n", "ü"], ids=["ASCII", "not UTF-8"])
def test_whatever_is_kept_of_a_record_is_less_than_a_store_takes(name: str) -> None:
    """A byte of a name that is not UTF-8 is kept as four characters; the broker has seen a few kilobytes of gzip."""
    plain = batch(0, [b"", b"v" * (KEPT + MIB)], [(name * 300_000, b"x" * MIB)] * 5, key=b"k" * 12 * MIB)
    data = repacked(plain.replace("ü".encode(), b"\xff\xff"), 1)
    for record in map(facts, BoundedRecords(data).next_batch() or ()):
        headers = sum(len(name.encode()) + len(content or b"") for name, content in record[5])
        assert headers < HEADERS_KEPT + 1_000
        assert len(record[3] or b"") + len(record[4]) + headers < 14 * MIB
        assert why_unread(record[5]) == CUT.decode()


def with_headers(codec: int, name: bytes, count: int) -> bytes:
    """Return a batch of a record, one with so many headers of this name and without content, and one more."""
    plain = batch(0, [b"a", b"b", b"c"])
    first, second, third = plain[61:69], plain[69:80], plain[80:]
    many = second[1:-1] + number(count) + (number(len(name)) + name + b"\0") * count
    body = first + number(len(many)) + many + third
    head = bytearray(plain[:61])
    head[8:12] = (49 + len(body)).to_bytes(4)
    return repacked(bytes(head) + body, codec) if codec else bytes(head) + body


SMALLER: Final = 128
COUNTS: Final = {"unpacked at once": 600_000, "in pieces": 3_000_000}
MANY: Final = {
    f"{how}, {name or 'empty'}, {called}": (codec, name.encode(), count // SMALLER, SMALLER)
    for how, count in COUNTS.items()
    for name in ("", "h")
    for called, codec in CODECS.items()
}


@pytest.mark.parametrize(
    ("codec", "name", "count", "smaller"),
    [*MANY.values(), (1, b"", COUNTS["in pieces"], 1)],
    ids=[*MANY, "of the real size"],
)
def test_headers_without_number_are_cut_in_bounded_memory(
    codec: int, name: bytes, count: int, smaller: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, limit in LIMITS:
        monkeypatch.setattr(module, limit, getattr(module, limit) // smaller)
    data = with_headers(codec, name, count)
    tracemalloc.start()
    found = [facts(record) for record in BoundedRecords(data).next_batch() or ()]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = HEADERS_KEPT // smaller // (HEADER_BYTES + len(name))
    assert [(record[0], record[4]) for record in found] == [(0, b"a"), (1, b"b"), (2, b"c")]
    assert [len(record[5]) for record in found] == [0, kept + 1, 0]
    assert [why_unread(record[5]) for record in found] == [None, CUT.decode(), None]
    assert peak < 40 * MIB // smaller


@pytest.mark.parametrize("codec", [3, 4])
def test_what_cannot_be_unpacked_in_bounded_memory_is_handed_out_and_says_why(
    codec: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decompression, "UNREADABLE", 5 * MIB)
    found = read(BoundedRecords(batch(codec, [b"x" * MIB] * 8)))
    assert [record[0] for record in found] == list(range(8))
    assert [len(record[4] or b"") for record in found] == [MIB] * 4 + [0] * 4
    assert [why_unread(record[5]) for record in found] == [None] * 4 + [TOO_LARGE.decode()] * 4
    assert "larger than 128 MiB" in TOO_LARGE.decode()


def test_what_a_batch_lacks_has_the_last_offsets_and_says_why() -> None:
    """Where compaction left holes, an offset that is too low would be skipped as one that was read before."""
    data = bytearray(batch(0, [b"a", b"b"]))
    data[23:27] = (9).to_bytes(4)  # the last offset's distance from the first
    data[-1] = 8  # four headers that are not there
    found = [facts(record) for record in BoundedRecords(bytes(data)).next_batch() or ()]
    assert [(record[0], record[4]) for record in found] == [(0, b"a"), (9, None)]
    assert why_unread(found[1][5]) == CORRUPT.decode()


def test_what_a_sender_says_of_unread_records_is_not_repeated() -> None:
    assert why_unread([(UNREAD, b"whatever"), ("a", None)]) is None


def parsed_here(data: bytes) -> Any:
    """Return a batch that the library cannot read, which has four headers that are not there."""
    return BoundedRecords(data[:-1] + b"\x08").next_batch()


@pytest.mark.parametrize(
    ("error", "raised"), [(MemoryError, MemoryError), (KeyError, CorruptRecordException)], ids=["no memory", "a bug"]
)
def test_what_cannot_be_parsed_now_is_not_taken_for_unread(
    error: type[Exception], raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: object, most: int) -> Any:
        raise error

    monkeypatch.setattr(Parser, "_field", failing)
    with pytest.raises(raised):
        list(parsed_here(batch(0, [b"a", b"b"])))


def test_records_that_are_unread_are_told_as_an_error_and_why() -> None:
    with capture_logs() as logs:
        list(parsed_here(batch(0, [b"a", b"b"])))
    assert [(line["log_level"], line["first"], line["records"], line["error"]) for line in logs] == [
        ("error", 1, 1, "EOFError")
    ]
