"""However the events of some notes arrive, the documents equal the fold of the events."""

import asyncio
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query_support.fixtures import Samples, Side

NOTES = 3
VERSIONS = 6


@st.composite
def deliveries(draw: Any) -> list[list[tuple[int, int]]]:
    """Batches of (note, version): every one at least once, some again, in any order, cut anywhere."""
    every = [(note, version) for note in range(NOTES) for version in range(1, VERSIONS + 1)]
    again = draw(st.lists(st.sampled_from(every), max_size=10))
    order = draw(st.permutations(every + again))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1), max_size=8)))
    return [order[start:end] for start, end in pairwise([0, *cuts, len(order)])]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=deliveries())
def test_documents_equal_the_fold_of_the_events(samples: Samples, side: Side, batches: list[list[tuple[int, int]]]):
    side.notes.documents.clear()
    side.notes.waiting_events.clear()
    ids = [samples.id(f"note {number}") for number in range(NOTES)]

    def message(number: int, version: int) -> Any:
        return samples.created(ids[number]) if version == 1 else samples.updated(ids[number], version)

    async def deliver() -> None:
        for batch in batches:
            await side.given(samples.record(message(*item)) for item in batch)

    asyncio.run(deliver())

    expected = {
        id_: samples.document(*(message(number, version) for version in range(1, VERSIONS + 1)))
        for number, id_ in enumerate(ids)
    }
    assert side.notes.documents == expected
    assert not side.notes.waiting_events
    assert not side.notes.forks
