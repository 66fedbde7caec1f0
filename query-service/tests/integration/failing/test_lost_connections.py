"""A connection that is gone is no answer: what can be asked again is asked again, on a fresh one."""

from typing import Any

import pytest
from query_support.fixtures import Database, Running, Samples, Send
from query_support.reading import reached


@pytest.mark.parametrize("options", ["", "&retryReads=false&retryWrites=false&w=0&readConcernLevel=local"])
async def test_readers_and_the_projector_notice_no_lost_connection(
    *, samples: Samples, wired: Any, wire: Any, running: Running, send: Send, database: Database, options: str
):
    """As after a restart or a failover, or when the server ends idle sessions; whatever the URL says."""
    settings = wired.model_copy(update={"mongo": wired.mongo + options})
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await reached(client, samples.note)
        for version in range(2, 5):
            wire.cut_all()
            assert (await client.get(f"/notes/{samples.note}")).status_code == 200
            cut = {"find": 1, "update": 1, "insert": 1}

            def answer(command: Any, cut: dict[str, int] = cut) -> Any:
                kind = next(iter(command))
                if not str(command[kind]).startswith("notes_v2_1") or not cut.get(kind):
                    return None
                cut[kind] -= 1
                return "cut"

            wire.answer = answer
            assert (await client.get(f"/notes/{samples.note}")).status_code == 200
            await send(settings.topic_events, samples.record(samples.updated(version=version)))
            answered = await client.get(f"/notes/{samples.note}?min_version={version}&wait=10")
            assert (answered.status_code, answered.headers["consistency"]) == (200, "current")
            assert cut["find"] == cut["update"] == 0
        assert (await client.get("/readyz")).status_code == 200
    assert await database["dead_letters"].find_one({}) is None


async def test_a_batch_reads_at_least_what_the_one_before_has_stored(
    *, samples: Samples, wired: Any, wire: Any, running: Running, send: Send
):
    """A primary that was just elected does not know at once what the majority has: it is told what to wait for."""
    asked: list[Any] = []

    def answer(command: Any) -> None:
        if str(command.get("find", "")).startswith("notes_v2_1") and "$in" in str(command["filter"]):
            asked.append(command["readConcern"])

    async with running(wired) as client:
        too_large_to_be_known = "\N{NOTEBOOK}" * 100_000
        await send(wired.topic_events, samples.record(samples.created(body=too_large_to_be_known)))
        await reached(client, samples.note)
        wire.answer = answer
        await send(wired.topic_events, samples.record(samples.updated()))
        await reached(client, samples.note, 2)

    projecting = [one for one in asked if one.get("level") == "majority"]
    assert any("afterClusterTime" in one for one in projecting), asked
