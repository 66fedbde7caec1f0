"""Traces on the read side: which messages have spans of their own, and that nothing is wrapped without tracing."""

from datetime import UTC, datetime
from typing import Any

import pytest

from notes_chassis.tracing.batches import TracedBatches
from notes_query.composition.projector import BuildFeeding, feed_outcomes
from notes_query.composition.shared import Shared
from notes_query.monitoring.feed_progress import Feed
from notes_query.projections import READ_MODELS
from notes_query.rebuilding.builds import Build, State
from notes_query.settings import Settings
from tests.harness.spans import in_memory


def build(state: State) -> Build:
    return Build(1, "background", {"search": 2, "history": 1}, "group", state, {}, datetime.now(UTC))


def feeding(shared: Shared, state: State) -> Any:
    return BuildFeeding(shared, build(state), lambda _: False)._batches.process


@pytest.mark.parametrize(("state", "each"), [("building", False), ("complete", True)])
async def test_a_build_begins_to_trace_messages_once_it_is_complete(state: State, each: bool) -> None:
    """What is built reads messages of years ago, whose traces have ended."""
    shared = Shared(Settings(auth="none"), READ_MODELS, in_memory().tracing)
    process = feeding(shared, state)
    assert isinstance(process, TracedBatches)
    assert (process.wanted(), process.kinds) == (each, ("search", "history"))
    assert feed_outcomes(shared)._batches.process.wanted()


async def test_without_tracing_nothing_is_wrapped() -> None:
    assert isinstance(feeding(Shared(Settings(auth="none"), READ_MODELS), "complete"), Feed)
