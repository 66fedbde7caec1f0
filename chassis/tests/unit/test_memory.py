import gc
import platform
import subprocess
import sys
from collections.abc import Iterator
from weakref import ref

import pytest

from notes_chassis.memory import YOUNG, relax_collector


class Knot:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def relaxed() -> Iterator[int]:
    """Give how many objects were left alone before: tests/servers/plugin.py does the same with imported tests."""
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    relax_collector()
    yield frozen
    gc.set_threshold(*threshold)


def test_what_the_start_has_made_is_left_alone(relaxed: int):
    assert gc.get_freeze_count() > relaxed
    assert gc.isenabled()


def test_cycles_are_freed_all_the_same(relaxed: int):
    knot = ref(Knot())

    alive = [[number] for number in range(2 * YOUNG)]

    assert knot() is None
    assert len(alive) == 2 * YOUNG


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps no heap for each thread")
def test_threads_return_memory():
    program = """
import ctypes, threading
from notes_chassis.memory import return_memory

return_memory()
together = threading.Barrier(9)

def take() -> None:
    mine = b"x" * 10_000
    together.wait()

for _ in range(8):
    threading.Thread(target=take).start()
together.wait()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, out := ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(out)
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert 1 <= printed.count("<heap nr=") <= 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps nothing amid what is in use")
def test_pages_that_are_free_amid_others_are_given_back():
    program = """
from resource import getpagesize
from notes_chassis.memory import return_memory, trim_memory

def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * getpagesize()

return_memory()
large, small = [], []
for _ in range(80):
    large.append(b"x" * 500_000)
    small.append(bytes(1_000))
large.clear()
before = resident()
trim_memory()
print(before - resident())
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert int(printed) > 20_000_000
