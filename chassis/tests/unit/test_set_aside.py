"""Partitions that wait for something of their own."""

import pytest
from chassis_support.loop import ONE, TWO, Loop
from chassis_support.records import record

from notes_chassis.backoff import Backoff
from notes_chassis.kafka import commits
from notes_chassis.kafka.set_aside import PartitionsSetAside


async def test_partitions_set_aside_wait_with_a_back_off_of_their_own_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Backoff, "next", lambda _: 60.0)
    monkeypatch.setattr(commits, "EVERY_S", 0.01)
    reasons = {1: "somebody holds a lock"}
    loop = Loop((ONE, 0), (TWO, 0), errors=[PartitionsSetAside(reasons)])
    loop.kafka.committed_offsets = {ONE: 0, TWO: 0}
    await loop.turn()
    assert (loop.kafka.commits, loop.kafka.on_hold, loop.kafka.positions[ONE]) == ([{TWO: 1}], {ONE}, 0)
    part = loop.health.parts["things"]
    assert (part.ok, part.reason) == (False, "partition 1 waits: somebody holds a lock")

    loop.kafka.log.append(record(TWO, 1))
    loop.consumer.resume()
    await loop.turn()
    assert (loop.batches, loop.kafka.on_hold) == ([[(2, 1)]], {ONE}), "not before its time, and the part stays red"
    assert not loop.health.parts["things"].ok

    loop.consumer._aside.clock = lambda: float("inf")
    loop.consumer.resume()
    await loop.turn()
    assert loop.batches[1:] == [[(1, 0)]]
    assert loop.kafka.commits[-1] == {ONE: 1}
    assert loop.health.parts["things"].ok


async def test_a_partition_set_aside_that_others_have_now_is_not_told_any_more() -> None:
    loop = Loop((ONE, 0), (TWO, 0), errors=[PartitionsSetAside({1: "somebody holds a lock"})])
    await loop.turn()
    loop.kafka.log = [record(TWO, 0)]
    loop.kafka.on_hold = set()
    loop.consumer.resume()
    assert loop.health.parts["things"].ok
