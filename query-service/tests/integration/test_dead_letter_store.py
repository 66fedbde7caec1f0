"""The twin and MongoDB do the same."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from query_support.fixtures import Samples

from notes_contracts import Code
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing.dead_letter_relay import headers_of


def dead_letter(samples: Samples, offset: int, value: bytes | None = b"\x00value") -> DeadLetter:
    record = samples.raw(value, offset=offset, key=None, ce_id=b"\xff", empty=None)
    return DeadLetter(record, Code.INTERNAL, "why: é", samples.start)


async def claimed(stores: Any, now: Any) -> list[Any]:
    found = []
    while (item := await stores.dead_letters.claim(now)) is not None:
        found.append(item)
    return found


async def test_each_is_kept_once_byte_for_byte_and_claimed_by_one(samples: Samples, stores: Any):
    dead_letters = [dead_letter(samples, offset) for offset in range(5)]

    await stores.dead_letters.add(dead_letters)
    await stores.dead_letters.add([*dead_letters[3:], dead_letter(samples, 5, None)])
    found = await asyncio.gather(*(claimed(stores, samples.start) for _ in range(5)))

    assert sorted((item for some in found for item in some), key=lambda item: item.record.offset) == [
        *dead_letters,
        dead_letter(samples, 5, None),
    ]


async def test_a_code_of_a_newer_release_stays_as_it_is(samples: Samples, stores: Any):
    """Releases serve side by side: what the newer one keeps, the older one may have to send."""
    theirs = replace(dead_letter(samples, 1), code="too_old")

    await stores.dead_letters.add([theirs])

    assert await claimed(stores, samples.start) == [theirs]
    assert dict(headers_of(theirs))["dead-letter-code"] == b"too_old"


async def test_what_was_claimed_and_not_sent_comes_again_and_what_was_sent_does_not(samples: Samples, stores: Any):
    await stores.dead_letters.add([dead_letter(samples, 1), dead_letter(samples, 2)])
    for item in await claimed(stores, samples.start):
        if item.record.offset == 1:
            await stores.dead_letters.sent(item, samples.recent)

    assert await claimed(stores, samples.start + timedelta(seconds=59)) == []
    assert await claimed(stores, samples.start + timedelta(hours=1)) == [dead_letter(samples, 2)]


async def test_a_record_larger_than_a_document_may_be_is_kept(samples: Samples, stores: Any):
    large = dead_letter(samples, 1, b"x" * 40_000_000)

    await stores.dead_letters.add([large])

    assert await claimed(stores, samples.start) == [large]


async def test_another_record_of_the_same_place_is_another_dead_letter_and_the_same_one_is_not(
    samples: Samples, stores: Any
):
    first, other = dead_letter(samples, 1), dead_letter(samples, 1, b"of the topic that was made anew")

    for _ in range(2):
        await stores.dead_letters.add([first])
        await stores.dead_letters.add([other])
    found = await claimed(stores, samples.start)

    assert [(item.record.value, item.mark) for item in found] == [
        (first.record.value, ""),
        (other.record.value, other.marked().mark),
    ]
    for item in found:
        await stores.dead_letters.sent(item, samples.recent)
    assert await claimed(stores, samples.start + timedelta(hours=1)) == []
