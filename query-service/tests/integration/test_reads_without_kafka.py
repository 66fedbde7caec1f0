"""Kafka away for any time: every read is answered, lists say how old they may be, recovery needs nobody."""

from datetime import timedelta
from typing import Any

import pytest
from query_support.fixtures import Running, Samples, Send, Settings

from tests.harness.waiting import eventually


async def test_every_read_is_answered_and_what_was_written_meanwhile_is_there_afterwards(
    *,
    samples: Samples,
    settings: Settings,
    running: Running,
    send: Send,
    unused_tcp_port: int,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("notes_query.monitoring.lag.FRESH", timedelta(seconds=3))
    note = samples.note
    paths = (
        f"/notes/{note}",
        f"/notes/{note}/body",
        f"/notes/{note}/history",
        "/notes",
        "/notes?tag=one&author=someone",
        "/notes/search?q=body",
        "/tags",
        f"/commands/{samples.id('command')}",
    )
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await send(settings.topic_outcomes, samples.record(samples.outcome()))

        answered: dict[str, Any] = {}

        async def all_there() -> bool:
            for path in paths:
                answered[path] = "no answer"
                answered[path] = (await client.get(path)).status_code
            answered["found"] = len((await client.get("/notes/search?q=body")).json().get("items", ()))
            return answered == {**dict.fromkeys(paths, 200), "found": 1}

        try:
            await eventually(all_there, within_s=60)
        except TimeoutError:
            pytest.fail(f"not all there: {answered}")
        await eventually(lambda: fresh(client), within_s=40)

    away = settings.model_copy(update={"kafka": f"127.0.0.1:{unused_tcp_port}"})
    async with running(away) as client:
        answers = {path: await client.get(path) for path in paths}
        assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 200)
        assert answers["/notes"].json()["items"][0]["id"] == note
        stale = await client.get(f"/notes/{note}?min_version=2&wait=0.2")
        assert (stale.status_code, stale.headers["consistency"]) == (200, "stale")

        async def said() -> bool:  # nobody feeds the projector: what is shown gets older, and says so
            return float((await client.get("/notes")).headers.get("projection-lag", 0)) > 2

        await eventually(said, within_s=40)
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["kafka"]["ok"]) == (200, False)
        assert ready.json()["parts"]["kafka"]["since"]
        await send(settings.topic_events, samples.record(samples.updated()))

    async with running(settings) as client:

        async def caught_up() -> bool:
            answer = await client.get(f"/notes/{note}?min_version=2&wait=5")
            return answer.headers.get("consistency") == "current"

        await eventually(caught_up, within_s=60)
        await eventually(lambda: fresh(client), within_s=40)


async def fresh(client: Any) -> bool:
    return (await client.get("/notes")).headers.get("projection-lag") == "0.0"
