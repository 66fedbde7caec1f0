"""A reader of the topic that is closed is gone, with its connections, whatever happens to whoever closes it."""

import asyncio

import pytest
from query_support.fixtures import Settings

from notes_chassis.kafka.cluster import Cluster
from notes_query.live.tail import EventTopic


@pytest.mark.parametrize("turns", range(1, 6))
async def test_closing_that_is_cancelled_comes_to_its_end(settings: Settings, turns: int):
    tail = await EventTopic(Cluster(settings.kafka), settings.topic_events).tail()
    tail.seek((await tail.bounds()).end)
    client = tail._consumer._client
    connections, fetching = list(client._conns.values()), tail._consumer._fetcher._fetch_task
    assert any(one.connected() for one in connections)
    closing = asyncio.create_task(tail.close())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    assert not [one for one in [*connections, *client._conns.values()] if one.connected()]
    assert client._sync_task is None
    assert fetching.done()
