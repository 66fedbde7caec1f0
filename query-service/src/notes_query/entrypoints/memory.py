"""Memory of a process that makes a great many short-lived objects, and hardly any cycles."""

import ctypes
import gc
from typing import Final

YOUNG: Final = 50_000
"""Objects more than before until the youngest are looked through: a few batches' worth."""
_ARENAS: Final = -8
"""M_ARENA_MAX of glibc's mallopt(3)."""


def relax_collector() -> None:
    """Leave alone what the start has made, and look through the rest rarely. Call it when everything is built.

    By default the young are looked through after every 700 objects. A batch makes tens of thousands, and all are alive
    until it is stored: in vain that was a fifth of the projector's CPU time. Reference counts free them as before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)


def share_heaps() -> None:
    """Have all threads take their memory from two heaps of glibc. Call it before there are any threads.

    By default each thread gets a heap of its own, up to eight for each core, and the driver's threads keep in theirs
    what they needed once: a process whose side lane is behind grew twice as far. With another C library this does
    nothing.
    """
    # None is the process itself; another C library (musl, macOS) has no such function.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENAS, 2)
