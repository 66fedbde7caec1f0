"""What is switched to has to be as far as what readers have, right before they get it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest

from notes_query.errors import Refused
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.builds import Build, Move
from notes_query.rebuilding.switch_build import SwitchBuild
from tests.harness.waiting import eventually

OLD, NEW = (
    Build(number, "notes", {"notes": 1}, f"g{number}", "complete", {0: 5}, datetime(2026, 1, 2, tzinfo=UTC))
    for number in (1, 2)
)


class Groups:
    """Two groups of one topic."""

    def __init__(self, **offsets: int) -> None:
        self.offsets = offsets
        self.builds = [OLD, NEW]
        self.asked = 0
        self.takes_s = 0.0

    async def committed(self, group: str) -> dict[int, int]:
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        return {0: self.offsets[group]}

    async def all(self) -> list[Build]:
        return self.builds

    async def beginnings(self) -> dict[int, int]:
        return {0: 0}


def switching(groups: Groups) -> SwitchBuild:
    unused: Any = None
    begin = BeginBuilds(groups, groups, {}, unused, "g", unused)  # type: ignore[arg-type]
    return SwitchBuild(begin, unused)


@pytest.mark.parametrize("old", [5, 9])
async def test_it_waits_until_the_new_one_is_as_far(old: int):
    groups = Groups(g1=old, g2=4)
    meeting = asyncio.create_task(switching(groups).meet([Move("notes", 1, 2)], {1: OLD, 2: NEW}))
    await eventually(lambda: groups.asked, lambda found: found >= 10)
    assert not meeting.done()
    groups.offsets["g2"] = old
    async with asyncio.timeout(5):
        await meeting


async def test_what_took_long_to_reach_is_looked_at_anew(monkeypatch: pytest.MonkeyPatch):
    """While it was seen that the new one is as far as the old one was, the old one has gone on."""
    monkeypatch.setattr("notes_query.rebuilding.switch_build.MET_S", 0.05)
    groups = Groups(g1=9, g2=9)
    groups.takes_s = 0.1
    meeting = asyncio.create_task(switching(groups).meet([Move("notes", 1, 2)], {1: OLD, 2: NEW}))
    while groups.asked < 2:
        await asyncio.sleep(0.01)
    groups.offsets["g1"], groups.takes_s = 20, 0.0
    while groups.asked < 10:
        await asyncio.sleep(0.01)
    assert not meeting.done()
    groups.offsets["g2"] = 20
    async with asyncio.timeout(5):
        await meeting


async def test_what_cannot_be_reached_any_more_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    """The partition has lost its end: both read it from its beginning, and neither comes as far as the old one was."""
    monkeypatch.setattr("notes_query.rebuilding.switch_build.MET_S", 0.05)
    groups = Groups(g1=90, g2=40)
    meeting = asyncio.create_task(switching(groups).meet([Move("notes", 1, 2)], {1: OLD, 2: NEW}))
    while groups.asked < 4:
        await asyncio.sleep(0.01)
    groups.offsets |= {"g1": 7, "g2": 7}
    async with asyncio.timeout(5):
        await meeting


async def test_what_is_dropped_meanwhile_is_not_waited_for():
    groups = Groups(g1=9, g2=4)
    groups.builds = [OLD, replace(NEW, state="dropped")]
    async with asyncio.timeout(5):
        with pytest.raises(Refused, match="build 2 was dropped"):
            await switching(groups).meet([Move("notes", 1, 2)], {1: OLD, 2: NEW})


async def test_where_each_look_takes_too_long_it_ends_all_the_same(monkeypatch: pytest.MonkeyPatch):
    """A busy machine, where one look takes ten times as long as is allowed at first."""
    monkeypatch.setattr("notes_query.rebuilding.switch_build.MET_S", 0.005)
    groups = Groups(g1=9, g2=9)
    groups.takes_s = 0.05
    async with asyncio.timeout(5):
        await switching(groups).meet([Move("notes", 1, 2)], {1: OLD, 2: NEW})


class Moving(Groups):
    """The second group is where the first was `behind_s` ago; both go on. `tries`: how often the first was noted."""

    def __init__(self, behind_s: float) -> None:
        super().__init__()
        self.behind_s, self.tries = behind_s, 0

    async def committed(self, group: str) -> dict[int, int]:
        self.tries += group == "g1"
        return {0: int(1e6 * (monotonic() - (self.behind_s if group == "g2" else 0)))}


async def test_one_that_is_always_behind_is_met_within_a_longer_time(monkeypatch: pytest.MonkeyPatch):
    """As under load: three times as far as is allowed at first."""
    monkeypatch.setattr("notes_query.rebuilding.switch_build.MET_S", 0.02)
    monkeypatch.setattr("notes_query.rebuilding.switch_build.MET_MAX_S", 0.2)
    async with asyncio.timeout(5):
        await switching(Moving(0.06)).meet([Move("notes", 1, 2)], {1: OLD, 2: NEW})


async def test_one_that_is_farther_behind_than_is_ever_allowed_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("notes_query.rebuilding.switch_build.MET_S", 0.02)
    monkeypatch.setattr("notes_query.rebuilding.switch_build.MET_MAX_S", 0.05)
    groups = Moving(0.4)
    meeting = asyncio.create_task(switching(groups).meet([Move("notes", 1, 2)], {1: OLD, 2: NEW}))
    while groups.tries < 9 and not meeting.done():
        await asyncio.sleep(0.01)
    assert not meeting.done()
    groups.behind_s = 0.0
    async with asyncio.timeout(5):
        await meeting
