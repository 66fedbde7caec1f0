"""Memory is given back after large batches: what they leave free amid what is in use would only grow."""

import pytest
from query_support.fixtures import Samples, Side

from notes_query.projecting import project_events
from notes_query.projecting.recent_documents import MANY


async def test_memory_is_given_back_after_a_large_batch_every_two_seconds(
    samples: Samples, side: Side, monkeypatch: pytest.MonkeyPatch
):
    now, trims = [0.0], list[float]()
    monkeypatch.setattr(project_events, "monotonic", lambda: now[0])
    monkeypatch.setattr(project_events, "trim_memory", lambda: trims.append(now[0]))
    project = project_events.ProjectEvents([side.fold], side.dead_letters, lambda: samples.start)
    large = [samples.record(samples.created(samples.id(f"{number}"))) for number in range(MANY)]

    for seconds, records in ((1, large), (2, large[1:]), (3, large), (4, large), (5, large)):
        now[0] = seconds
        await project(records)

    assert trims == [3, 5]
