"""What a group has committed is known, or nobody knows: one is not taken for the other."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from query_support.fixtures import Samples
from query_support.memory_builds import FIRST, MemoryBuilds

from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.topic_state import TopicState
from notes_query.errors import TopicUnavailable
from notes_query.rebuilding import topic_offsets
from notes_query.rebuilding.active_builds import ActiveBuilds, Readiness
from notes_query.rebuilding.builds import Build
from notes_query.rebuilding.topic_offsets import TopicOffsets

LOADING = SimpleNamespace(error_code=14, topics=[])
NOT_ITS_COORDINATOR = SimpleNamespace(error_code=16, topics=[])


def answer(*offsets: int) -> Any:
    return SimpleNamespace(
        error_code=0, topics=[("events", [(at, offset, "", 0) for at, offset in enumerate(offsets)])]
    )


class Admin(AIOKafkaAdminClient):
    """aiokafka's own, of which the broker's answers are the test's: by group."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    async def find_coordinator(self, group_id: str, coordinator_type: int = 0) -> int:  # noqa: ARG002
        return 0

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:  # noqa: ARG002
        return self._answers[request._consumer_group]

    async def close(self) -> None:
        """Nothing is open."""


class Consumer:
    """Knows the topic's partitions."""

    def partitions_for_topic(self, _: str) -> set[int]:
        return {0, 1}

    async def beginning_offsets(self, partitions: Any) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    async def stop(self) -> None:
        """Nothing is open."""


@pytest.fixture
def offsets(monkeypatch: pytest.MonkeyPatch) -> Any:
    async def state(*_: Any) -> TopicState:
        return TopicState("events", "id", 2)

    def offsets(**answers: Any) -> TopicOffsets:
        topic = TopicOffsets(Cluster("nowhere:1"), "events")
        topic._consumer, topic._admin = Consumer(), Admin(answers)
        return topic

    monkeypatch.setattr(topic_offsets, "look_at", state)
    return offsets


async def test_what_is_committed_and_what_is_not(offsets: Any):
    assert await offsets(group=answer(5, -1)).committed("group") == {0: 5}
    assert await offsets(group=answer(-1, -1)).committed("group") == {}


@pytest.mark.parametrize("unknown", [LOADING, NOT_ITS_COORDINATOR, answer(5)])
async def test_an_answer_without_a_partition_does_not_say_that_nothing_is_committed(offsets: Any, unknown: Any):
    with pytest.raises(TopicUnavailable, match="does not say what group has committed"):
        await offsets(group=unknown).committed("group")


async def test_while_a_coordinator_loads_nobody_becomes_ready(offsets: Any, samples: Samples):
    """Readers had the first build: how far it is cannot be told, so the second one is not as far."""
    models = {"notes": FIRST["notes"]}
    store, served = MemoryBuilds(models), ActiveBuilds()
    for number in (1, 2):
        await store.add(Build(number, "notes", {"notes": 1}, f"g{number}", "complete", {}, samples.start))
    await store.answer_from({"notes": 1})
    await store.point("notes", 2, samples.start)
    served.follow(await store.served())
    readiness = Readiness(models, store, offsets(g1=LOADING, g2=answer(0, 0)), served)  # type: ignore[arg-type]

    with pytest.raises(TopicUnavailable):
        await readiness.step()
    assert readiness.missing() == ["notes is not as far yet as what readers had before"]
