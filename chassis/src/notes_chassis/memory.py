"""Memory of a process that makes a great many short-lived objects, hardly any cycles, and sometimes large ones."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 200_000
"""Objects more than before until the youngest are looked through: more than the largest batches have alive at once.
With 50,000 they were looked through twenty times in vain while 40,000 events were rebuilt, for 7 % of the CPU."""
LARGE: Final = 1024 * 1024
"""Bytes from which on memory is the system's again as soon as it is free. What a batch takes is less: each page of a
buffer that was given back costs a fault when it is taken again, 0.8 ms for 700 kB."""
KEPT: Final = 8 * LARGE
"""Bytes at the end of a heap that are kept for the next batch."""
# Of glibc's mallopt(3).
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: for imports, which make hundreds of thousands of objects, and nearly all stay.

    In vain they were looked through again and again: a fifth to a quarter of the CPU time of a start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def relax_collector() -> None:
    """Leave alone what the start has made, and look through the rest rarely. Call it when everything is built.

    By default the young are looked through after every 700 objects. A batch makes tens of thousands, and all are alive
    until it is stored: in vain that was 20 to 30 % of the CPU time. Reference counts free them as before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)


def return_memory() -> None:
    """Have all threads share two heaps, and give back what a burst took. Call it before there are any threads.

    By default glibc gives each thread a heap of its own, up to eight for each core, and keeps ever larger pieces once
    a large one was freed: after two hundred records of 2 MB, 29 MB stayed, and with this 10. With another C library
    this does nothing.
    """
    # None is the process itself; another C library (musl, macOS) has no such function.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 2)
        mallopt(_MMAP_THRESHOLD, LARGE)
        mallopt(_TRIM_THRESHOLD, KEPT)


def trim_memory() -> None:
    """Give back all pages that are free, also amid others, where glibc keeps them by itself for ever.

    A consumer that was far behind has had a megabyte in hand of each partition: 25 MB stayed of these.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
