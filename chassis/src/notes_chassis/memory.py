"""Memory of a process that creates many short-lived objects, sometimes large ones, and hardly any cycles."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 200_000
"""`gc` threshold of generation 0, in objects; above what the largest batch keeps alive. With 50,000 the collector ran
twenty times in vain while 40,000 events were rebuilt, for 7 % of the CPU."""
LARGE: Final = 1024 * 1024
"""Bytes from which on a block goes back to the system as soon as it is free. A batch takes smaller ones: each page that
went back costs a fault when it is taken again, 0.8 ms for 700 kB."""
KEPT: Final = 8 * LARGE
"""Free bytes at the end of a heap that are kept for the next batch."""
# Of glibc's mallopt(3).
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8


@contextmanager
def uncollected() -> Iterator[None]:
    """Turn the collector off for the block: imports create hundreds of thousands of objects, of which nearly all stay.

    Collections in vain took a fifth to a quarter of the CPU time of a start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def relax_collector() -> None:
    """Exclude the objects of the start from collection, and collect the others rarely. Call it when all is built.

    By default generation 0 is collected after every 700 objects. A batch creates tens of thousands, and all are alive
    until it is stored: collections in vain took 20 to 30 % of the CPU time. Reference counts free objects as before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)


def return_memory() -> None:
    """Let all threads share two heaps, and return memory after a burst. Call it before there are threads.

    By default glibc has up to eight heaps for each core, and after it has freed a large block it keeps ever larger
    ones: after two hundred records of 2 MB 29 MB stayed, and with this 10. Another C library is left as it is.
    """
    # None is the process itself; other C libraries (musl, macOS) have no mallopt.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 2)
        mallopt(_MMAP_THRESHOLD, LARGE)
        mallopt(_TRIM_THRESHOLD, KEPT)


def trim_memory() -> None:
    """Return all free pages to the system, also those between others, which glibc keeps for ever by itself.

    A consumer that was far behind held a megabyte of each partition: 25 MB of that stayed.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
