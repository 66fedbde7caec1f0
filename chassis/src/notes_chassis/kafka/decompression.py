"""Decompresses the body of a batch in pieces, in bounded memory."""

import mmap
import zlib
from collections.abc import Iterator
from contextlib import suppress
from enum import IntEnum
from struct import error as StructError  # noqa: N812 - a class, whatever it is called
from typing import Final

import cramjam
from aiokafka.codec import snappy_decode

from notes_chassis.unread import CORRUPT, TOO_LARGE, UNREADABLE

WHOLE_BYTES: Final = 4 * 1024 * 1024
"""Bytes up to which a batch is decompressed whole."""
INLINE_BYTES: Final = 1024 * 1024
"""Bytes up to which a batch is decompressed on the event loop, which takes a few milliseconds."""
_INLINE_PACKED_BYTES: Final = 256 * 1024
"""The same in compressed bytes, for gzip and snappy: their decompressed size is not known before."""
_PIECE_BYTES: Final = 256 * 1024
_PACKED_BYTES: Final = 16 * 1024
"""Compressed bytes that are handed to gzip together: it copies the rest of them at the end of each of its members."""
_inline_buffer: Final = bytearray(INLINE_BYTES)


Codec = IntEnum("Codec", ["NONE", "GZIP", "SNAPPY", "LZ4", "ZSTD"], start=0)
"""The compression of a batch, as Kafka numbers it."""


def decompressed(codec: int, packed: bytes, *, on_loop: bool) -> tuple[Iterator[bytes], bytes]:
    """Return the bytes of a body in pieces, of which the first nearly always is all, and why no more follow.

    A fault ends the pieces. On the event loop the first has INLINE_BYTES at most; there is none for what may be more.
    """
    first_bytes = INLINE_BYTES if on_loop else WHOLE_BYTES
    if codec not in {Codec.GZIP, Codec.SNAPPY}:
        return _unpacked(codec, packed, first_bytes, on_loop=on_loop)
    if on_loop and len(packed) > _INLINE_PACKED_BYTES:
        return iter(()), CORRUPT
    return (_gunzipped if codec == Codec.GZIP else _unsnapped)(packed, first_bytes), CORRUPT


def _gunzipped(packed: bytes, first_bytes: int) -> Iterator[bytes]:
    """Yield the decompressed bytes up to the first fault: a piece of up to `first_bytes`, then smaller ones."""
    inflater = zlib.decompressobj(wbits=31)
    piece = bytearray()
    max_bytes = first_bytes
    with suppress(zlib.error):
        for start in range(0, len(packed), _PACKED_BYTES):
            rest = packed[start : start + _PACKED_BYTES]
            more = True
            while rest or more:
                if inflater.eof:
                    inflater = zlib.decompressobj(wbits=31)
                found = inflater.decompress(rest, max_bytes - len(piece))
                piece += found
                rest = inflater.unused_data or inflater.unconsumed_tail
                more = bool(found) and not inflater.eof
                if len(piece) == max_bytes:
                    yield bytes(piece)
                    piece.clear()
                    max_bytes = _PIECE_BYTES
    if piece:
        yield bytes(piece)


def _unsnapped(packed: bytes, first_bytes: int) -> Iterator[bytes]:
    """Return the decompressed bytes in pieces, 21 times as many as `packed` at most; none if something is wrong."""
    try:
        return _pieces(snappy_decode(packed), first_bytes)
    except (cramjam.DecompressionError, ValueError, StructError):
        return iter(())


def _unpacked(codec: int, packed: bytes, first_bytes: int, *, on_loop: bool) -> tuple[Iterator[bytes], bytes]:
    """Return the decompressed bytes of lz4 or zstd in pieces, and why no more follow; no pieces if something is wrong.

    On the event loop there are none if they are more than INLINE_BYTES. Elsewhere they go to mapped memory, of which
    only the pages that are written to are taken.
    """
    decompress_into = (cramjam.lz4 if codec == Codec.LZ4 else cramjam.zstd).decompress_into
    body = _inline_buffer if on_loop else mmap.mmap(-1, UNREADABLE)
    size = 0
    why = CORRUPT
    try:
        size = decompress_into(packed, body)
    except cramjam.DecompressionError as error:
        if "whole buffer" in str(error):
            why = TOO_LARGE
            size = 0 if on_loop else len(body)
    return _pieces(memoryview(body)[:size], first_bytes), why


def _pieces(body: bytes | memoryview, first_bytes: int) -> Iterator[bytes]:
    if body:
        yield bytes(body[:first_bytes])
    for start in range(first_bytes, len(body), _PIECE_BYTES):
        yield bytes(body[start : start + _PIECE_BYTES])
