"""What we write of Kafka's storage is what Kafka's own tool writes."""

import struct
from pathlib import Path

from tools.stack.kafka import bootstrap_of_the_tool, write_storage

HEADER = struct.Struct(">qiibIhi")
"""Of a batch: offset, length of what follows the length, epoch, version, checksum, attributes, last offset."""
TIMES = 16
"""Bytes of the first and the last time, which come next."""


def without_times(log: bytes) -> list[tuple[object, bytes]]:
    """Return the batches, without their times and the checksums, which cover those."""
    found, at = [], 0
    while at < len(log):
        offset, length, epoch, version, _, attributes, last = HEADER.unpack_from(log, at)
        end = at + 12 + length
        found.append(((offset, length, epoch, version, attributes, last), log[at + HEADER.size + TIMES : end]))
        at = end
    return found


def test_the_features_are_those_of_the_pinned_version(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    write_storage(tmp_path / "ours")
    ours = (tmp_path / "ours" / "bootstrap.checkpoint").read_bytes()
    its = without_times(bootstrap_of_the_tool(tmp_path / "tool"))
    assert len(its) == 3, "a header, the features, a footer"
    assert without_times(ours) == its


def test_the_ids_are_named_as_the_tool_names_them(tmp_path: Path) -> None:
    write_storage(tmp_path)
    bootstrap_of_the_tool(tmp_path / "tool")
    ours, its = (
        {line.partition("=")[0] for line in path.read_text().splitlines() if not line.startswith("#")}
        for path in (tmp_path / "meta.properties", tmp_path / "tool" / "storage" / "meta.properties")
    )
    assert ours == its
