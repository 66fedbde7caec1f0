"""A gap that stays makes this service ask the other one for a snapshot, which heals it."""

from typing import Any

import pytest
from query_support.fixtures import Running, Samples, Send, Settings

from notes_contracts import NoteSnapshotted, format_time
from tests.harness.waiting import eventually

pytestmark = pytest.mark.usefixtures("quick_looks")


async def test_a_gap_that_stays_is_healed_by_the_snapshot_that_is_asked_for(
    *, samples: Samples, settings: Settings, running: Running, send: Send, command_service: Any, monkeypatch: Any
):
    monkeypatch.setattr("notes_query.repairing.ask_republish.PATIENCE", samples.at(1) - samples.at(0))
    service, address = command_service
    asking = settings.model_copy(update={"command_url": address})
    async with running(asking) as client:
        await send(settings.topic_events, samples.record(samples.updated(version=3)))

        async def asked_again() -> bool:
            return len(service.asked) >= 2

        await eventually(asked_again, within_s=60)
        assert set(service.asked) == {samples.note}
        whole = NoteSnapshotted(
            note_id=samples.note,
            version=2,
            occurred_at=format_time(samples.at(2)),
            title="Snapshot",
            body="whole",
            tags=(),
            author=None,
            status="active",
            created_at=format_time(samples.at(1)),
            updated_at=format_time(samples.at(2)),
        )
        await send(settings.topic_events, samples.record(whole, name="snapshot"))
        answer = await client.get(f"/notes/{samples.note}?min_version=3&wait=10")
        shown = (await client.get("/metrics")).text

    assert (answer.headers["consistency"], answer.json()["version"]) == ("current", 3)
    for answered in ("rate_limited", "accepted"):
        assert f'notes_query_republish_total{{answer="{answered}"}}' in shown
