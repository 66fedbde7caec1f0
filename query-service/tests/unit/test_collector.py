import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from notes_query.entrypoints.collector import YOUNG, relax_collector


class Knot:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def relaxed() -> Iterator[None]:
    before = gc.get_threshold()
    relax_collector()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_the_start_has_made_is_left_alone(relaxed: None):
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()


def test_cycles_are_freed_all_the_same(relaxed: None):
    knot = ref(Knot())

    alive = [[number] for number in range(2 * YOUNG)]

    assert knot() is None
    assert len(alive) == 2 * YOUNG
