"""An instance is ready once its read models are complete, and as far as what readers had before."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from query_support.fixtures import Samples
from query_support.memory_builds import FIRST, MemoryBuilds

from notes_query.errors import TopicUnavailable
from notes_query.rebuilding.active_builds import ActiveBuilds, Readiness
from notes_query.rebuilding.builds import Build

MODELS = {"notes": FIRST["notes"]}
NEXT = {"notes": replace(FIRST["notes"], version=2)}


@dataclass
class Topic:
    groups: dict[str, dict[int, int]] = field(default_factory=dict)
    away: bool = False
    at_end: dict[int, int] = field(default_factory=lambda: {0: 99, 1: 99})

    async def ends(self) -> dict[int, int]:
        return self.at_end

    async def beginnings(self) -> dict[int, int]:
        return {0: 0, 1: 0}

    async def committed(self, group: str) -> dict[int, int]:
        if self.away:
            raise TopicUnavailable("Kafka is away")
        return self.groups.get(group, {})


@dataclass
class Release:
    """What one release sees."""

    readiness: Readiness
    builds: MemoryBuilds

    async def missing(self) -> list[str]:
        self.readiness.served.follow(await self.builds.served())
        await self.readiness.step()
        return self.readiness.missing()

    def restarted(self) -> "Release":
        one = self.readiness
        return Release(Readiness(one.read_models, one.builds, one.topic, ActiveBuilds()), self.builds)


@pytest.fixture
def topic() -> Topic:
    return Topic({"g1": {0: 5, 1: 3}, "g2": {0: 4}})


@pytest.fixture
async def releases(topic: Any, samples: Samples) -> tuple[Release, Release]:
    store = MemoryBuilds(MODELS)
    later = store.of(NEXT)
    for number in (1, 2):
        await store.add(Build(number, "notes", {"notes": number}, f"g{number}", "complete", {}, samples.start))
    await store.point("notes", 1, samples.start)
    stores: Any = (store, later)
    return tuple(  # type: ignore[return-value]
        Release(Readiness(models, of, topic, ActiveBuilds()), of)
        for models, of in zip((MODELS, NEXT), stores, strict=True)
    )


async def test_deployed_and_rolled_back_each_release_waits_until_it_is_as_far(
    releases: tuple[Release, Release], topic: Topic, samples: Samples
):
    old, new = releases
    assert await old.missing() == [], "readers had nothing before"
    assert await new.missing() == ["notes version 2 is not complete yet"]

    await new.builds.point("notes", 2, samples.start)
    assert await new.missing() == ["notes is not as far yet as what readers had before"]
    topic.groups["g2"] = {0: 5, 1: 3}
    assert await new.missing() == []

    topic.groups["g2"] = {0: 9, 1: 9}
    assert await old.missing() == [], "it has been ready all along"
    back = old.restarted()
    assert await old.builds.answered_from() == {"notes": {1, 2}}, "while both serve"
    assert await new.missing() == []
    assert await back.missing() == ["notes is not as far yet as what readers had before"]
    topic.groups["g1"] = {0: 9, 1: 10}
    assert await back.missing() == []


async def test_while_two_releases_answer_who_comes_is_as_far_as_both(
    releases: tuple[Release, Release], topic: Topic, samples: Samples
):
    old, new = releases
    topic.groups["g2"] = {0: 5, 1: 3}
    await new.builds.point("notes", 2, samples.start)
    assert await old.missing() == await new.missing() == []

    topic.groups["g1"] = {0: 9, 1: 9}
    assert await new.missing() == [], "whoever is ready stays so"
    late = new.restarted()
    assert await late.missing() == ["notes is not as far yet as what readers had before"]
    topic.groups["g2"] = {0: 9, 1: 9}
    assert await late.missing() == []


async def test_what_a_partition_has_lost_is_not_waited_for(
    releases: tuple[Release, Release], topic: Topic, samples: Samples
):
    """The other release was farther than its end is now, and nobody feeds its build any more."""
    old, new = releases
    assert await old.missing() == []
    await new.builds.point("notes", 2, samples.start)
    topic.at_end = {0: 4, 1: 3}
    assert await new.missing() == ["notes is not as far yet as what readers had before"]
    topic.groups["g2"] = {0: 4, 1: 3}
    assert await new.missing() == []


async def test_with_kafka_away_who_serves_what_readers_had_is_ready_and_nobody_else(
    releases: tuple[Release, Release], topic: Topic, samples: Samples
):
    old, new = releases
    assert await old.missing() == []
    topic.away = True
    assert await old.restarted().missing() == []

    await new.builds.point("notes", 2, samples.start)
    with pytest.raises(TopicUnavailable):
        await new.missing()
    assert new.readiness.missing() == ["notes is not as far yet as what readers had before"]
