"""What is served, and how often it is looked at."""

from dataclasses import replace

import pytest
from query_support.fixtures import Samples
from query_support.memory_builds import FIRST, MemoryBuilds

from notes_query.rebuilding.active_builds import BEFORE_S, LOOK_S, SOON_FOR_S, SOON_S, ActiveBuilds, ActiveBuildWatch
from notes_query.rebuilding.builds import Build


async def test_looks_come_sooner_while_something_is_built_here_and_for_a_while_after(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
):
    store, now = MemoryBuilds(FIRST), [0.0]
    monkeypatch.setattr("notes_query.rebuilding.active_builds.monotonic", lambda: now[0])
    watch = ActiveBuildWatch("one", store, ActiveBuilds(), feeds=lambda: [1], answers=True)  # type: ignore[arg-type]
    for number in (1, 2):  # nobody feeds the second one
        await store.add(Build(number, "notes", {"notes": number}, "group", "building", {}, samples.start))
    await watch.step()
    assert watch.pause_s() == SOON_S

    await store.advance(1, "building", "complete")
    now[0] = SOON_FOR_S - 1
    await watch.step()
    assert watch.pause_s() == SOON_S, "now it is switched to"
    now[0] = SOON_FOR_S
    assert watch.pause_s() == LOOK_S


def test_another_switch_does_not_end_what_is_looked_at_besides(samples: Samples, monkeypatch: pytest.MonkeyPatch):
    """Readers of single notes get the newer of both documents for some seconds after a switch, of each read model."""
    now = [0.0]
    monkeypatch.setattr("notes_query.rebuilding.active_builds.monotonic", lambda: now[0])
    one = Build(1, "notes", {"notes": 1}, "group", "complete", {}, samples.start)
    builds = {number: replace(one, number=number, versions={name: 1}) for number, name in enumerate("aabb", 1)}
    served = ActiveBuilds()
    served.follow({"a": builds[1], "b": builds[3]})
    served.follow({"a": builds[2], "b": builds[3]})
    now[0] = BEFORE_S - 1
    served.follow({"a": builds[2], "b": builds[4]})
    assert (served.before("a"), served.before("b")) == ("a_v1_1", "b_v1_3")

    now[0] = BEFORE_S
    assert (served.before("a"), served.before("b")) == (None, "b_v1_3")


def test_what_was_left_again_does_not_await_a_switch(samples: Samples):
    """It yields to the notes that readers get, however much newer it is."""
    served, old = ActiveBuilds(), Build(1, "notes", {"notes": 1}, "group", "complete", {}, samples.start)
    new = replace(old, number=3)
    served.follow({"notes": old})
    assert served.awaits_switch(new)
    assert not served.awaits_switch(replace(new, state="building"))
    assert not served.awaits_switch(replace(new, served_at=samples.start))
    assert not served.awaits_switch(old)

    served.follow({"notes": new})
    assert not served.awaits_switch(old)
