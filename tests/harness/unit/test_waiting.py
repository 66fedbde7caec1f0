"""Who waits in vain is told for what, and what there was instead."""

import asyncio

import pytest

from tests.harness.waiting import eventually


async def test_what_holds_is_returned_whether_it_is_awaited_or_there() -> None:
    numbers = iter(range(100))

    async def later() -> int:
        return next(numbers)

    assert await eventually(lambda: next(numbers), lambda found: found == 30) == 30
    assert await eventually(later, lambda found: found > 40) == 41


async def test_a_wait_in_vain_says_for_what_and_what_it_saw_last() -> None:
    with pytest.raises(AssertionError, match=r"not within 0.01 s: (?s:.*)len\(\[1, 2\]\)(?s:.*)\nlast: 2$"):
        await eventually(lambda: len([1, 2]), lambda found: found > 2, within_s=0.01)
    with pytest.raises(AssertionError, match="last: two"):
        await eventually(lambda: 2, lambda found: found > 2, within_s=0.01, show=lambda _: "two")


async def test_a_look_that_hangs_is_a_wait_in_vain_too() -> None:
    with pytest.raises(AssertionError, match="last: nothing"):
        await eventually(asyncio.Event().wait, within_s=0.01)


async def test_a_deadline_of_the_look_itself_is_not_taken_for_this_one() -> None:
    async def late() -> None:
        raise TimeoutError("the server is away")

    with pytest.raises(TimeoutError, match="the server is away"):
        await eventually(late)
