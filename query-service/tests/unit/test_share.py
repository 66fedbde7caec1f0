"""Long reads have a share of the process: few at a time, a bounded queue, a limit of time."""

import asyncio
from threading import Event
from typing import Any

import pymongo
import pytest
from pymongo.errors import ExecutionTimeout

from notes_query.errors import Busy, StoreUnavailable
from notes_query.reads.share import WAITING, Share
from tests.harness.metrics import shown


@pytest.fixture
def let_go() -> Any:
    event = Event()
    yield event
    event.set()


def refused(limit: str) -> float:
    return shown("notes_http_refused_total", limit=limit)


async def test_what_finds_no_place_in_the_queue_is_told_at_once(let_go: Event):
    share = Share("reads", 1, 5)
    served = [asyncio.create_task(share.run(lambda: let_go.wait(10))) for _ in range(1 + WAITING)]
    await asyncio.sleep(0)  # each has come as far as its place

    before = refused("reads")
    with pytest.raises(Busy):
        await share.run(let_go.is_set)
    assert refused("reads") == before + 1

    let_go.set()
    assert await asyncio.gather(*served) == [True] * (1 + WAITING)
    assert await share.run(lambda: "free again") == "free again"


async def test_who_waits_too_long_is_told(let_go: Event):
    share = Share("reads", 1, 5, wait_s=0.01)
    first = asyncio.create_task(share.run(lambda: let_go.wait(10)))
    await asyncio.sleep(0)

    before = refused("reads")
    with pytest.raises(Busy):
        await share.run(let_go.is_set)
    assert refused("reads") == before + 1

    let_go.set()
    assert await first


async def test_a_client_that_leaves_frees_no_thread_before_its_read_ends(let_go: Event):
    share, began = Share("reads", 1, 5, wait_s=0.01), Event()

    def read() -> bool:
        began.set()
        return let_go.wait(10)

    left = asyncio.create_task(share.run(read))
    await asyncio.to_thread(began.wait)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left

    with pytest.raises(Busy):
        await share.run(let_go.is_set)
    let_go.set()
    share._wait_s = 10
    assert await share.run(let_go.is_set)


async def test_a_read_knows_its_limit_and_an_error_of_time_says_so():
    share = Share("reads", 1, 0.5)

    assert await share.run(pymongo._csot.get_timeout) == 0.5

    def late() -> None:
        raise ExecutionTimeout("what somebody wrote", 50)

    before = refused("reads_time")
    with pytest.raises(StoreUnavailable, match=r"no answer within 0\.5 s"):
        await share.run(late)
    assert refused("reads_time") == before + 1
