"""Clients that come back from far back, and take nothing of what they are sent."""

import asyncio
from typing import Any

from query_support.fixtures import Samples, SendMany, Settings

from notes_query.live import hub
from notes_query.live.change_log import ChangeLog

SLOW = 20
VERSIONS = 3_000
LONG_TYPE = "notes.event." + "x" * 180 + ".v1"


async def test_slow_clients_far_back_cost_only_themselves(
    *,
    samples: Samples,
    settings: Settings,
    listening: Any,
    follow: Any,
    unread: Any,
    send_many: SendMany,
    monkeypatch: Any,
):
    """Twenty take nothing of a megabyte, and there are eight readers: others get all of it, and what is new."""
    monkeypatch.setattr(hub, "ChangeLog", lambda start: ChangeLog(start, max_entries=1_000))
    events = settings.topic_events
    async with listening(settings) as instance, follow(instance) as start:
        await send_many(events, [samples.record(samples.created())])
        (first,) = await start.some(1)
        for begin in range(2, VERSIONS, 500):
            versions = range(begin, min(VERSIONS, begin + 500))
            await send_many(events, [samples.unknown(number, ce_type=LONG_TYPE) for number in versions])
            assert len(await start.some(len(versions))) == len(versions)
        slow = [await unread(instance, first.id) for _ in range(SLOW)]
        async with asyncio.timeout(30), follow(instance, first.id) as quick:
            seen = [event.about[1] for event in await quick.some(VERSIONS - 2)]
            assert seen == list(range(2, VERSIONS))
            await send_many(events, [samples.record(samples.created(samples.other))])
            for each in (start, quick):
                assert [event.about for event in await each.some(1)] == [(samples.other, 1)]
        for _, writer in slow:
            writer.close()
