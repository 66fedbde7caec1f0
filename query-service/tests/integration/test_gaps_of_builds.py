"""Gaps of builds that readers do not get yet, or no longer: without these a switch to them is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.waiting import eventually

pytestmark = pytest.mark.usefixtures("quick_looks")


async def test_a_gap_that_keeps_a_build_from_being_served_is_named_and_asked_for(
    *,
    samples: Any,
    settings: Any,
    running: Any,
    send: Any,
    forget: Callable[..., Any],
    command_line: Any,
    command_service: Any,
    monkeypatch: Any,
):
    """The beginning of the topic is gone, and the documents that readers have are complete."""
    monkeypatch.setattr("notes_query.repairing.ask_republish.PATIENCE", samples.at(1) - samples.at(0))
    service, address = command_service
    async with running(settings.model_copy(update={"command_url": address})) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        for read_model, collection, version, offset in (("notes", "notes_v2_3", 2, 1), ("search", "search_v2_4", 3, 3)):
            await send(settings.topic_events, samples.record(samples.updated(version=version)))
            answer = await client.get(f"/notes/{samples.note}?min_version={version}&wait=10")
            assert answer.headers["consistency"] == "current"
            await forget(settings.topic_events, samples.note, offset)
            service.asked.clear()

            code, _, complaints = await command_line("rebuild", read_model)

            assert (code, "events wait in build" in complaints) == (1, True)
            code, output, _ = await command_line("gaps", "--json")
            (gap,) = json.loads(output)
            told = {"note_id": samples.note, "read_model": collection, "version": 0, "missing": 1, "waiting": 1}
            assert (code, {name: gap[name] for name in told}) == (1, told)
            assert (await client.get("/admin/gaps")).json()["items"] == [gap]

            async def asked_for() -> bool:
                return samples.note in service.asked

            await eventually(asked_for)
            snapshot = samples.record(samples.snapshotted(version=version), name=f"snapshot {version}")
            await send(settings.topic_events, snapshot)
            code, output, complaints = await command_line("rebuild", read_model)
            assert code == 0, output + complaints
        assert (await command_line("gaps"))[:2] == (0, "no gaps\n")
