"""`GET /notes/changes` on real servers: what a client sees is there, wherever and whenever it connects."""

import asyncio
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from query_support.fixtures import Samples, Send, Settings

from notes_query.live import hub, streams
from tests.harness.waiting import eventually


async def test_a_change_comes_when_the_note_can_be_read(
    *, samples: Samples, settings: Settings, listening: Any, follow: Any, send: Send
):
    async with listening(settings) as instance, follow(instance) as changes:
        for number in range(30):
            note = samples.id(f"note {number}")
            await send(settings.topic_events, samples.record(samples.created(note)))
            await send(settings.topic_events, samples.record(samples.updated(note)))
            for version in (1, 2):
                (event,) = await changes.some(1)
                read = (await instance.client.get(f"/notes/{note}")).json()
                assert event.name == "change"
                assert event.about == (note, version)
                assert read["version"] >= version
        assert event.data == {
            "id": note,
            "version": 2,
            "type": "notes.event.note-updated.v1",
            "occurred_at": "2026-01-02T03:04:05.680Z",
        }
        refused = await instance.client.get("/notes/changes", headers={"Last-Event-ID": "nonsense"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")


async def test_a_client_goes_on_at_an_instance_that_only_answers_and_misses_nothing(
    *, samples: Samples, settings: Settings, listening: Any, follow: Any, send: Send
):
    notes = [samples.id(f"note {number}") for number in range(40)]
    created = [samples.record(samples.created(note)) for note in notes]
    updated = [samples.record(samples.updated(note)) for note in notes]
    async with listening(settings) as one, listening(settings, "api") as two:
        async with follow(one) as changes:
            await send(settings.topic_events, *created)
            seen = [event.about for event in await changes.some(25)]
            last = changes.last_id
        await send(settings.topic_events, *updated)
        async with follow(two, last) as changes:
            seen += [event.about for event in await changes.some(55)]
            await send(settings.topic_events, samples.record(samples.updated(notes[0], 3)))
            (event,) = await changes.some(1)
            assert event.about == (notes[0], 3)
    assert sorted(seen) == sorted([(note, version) for note in notes for version in (1, 2)])


async def test_a_client_goes_on_after_a_restart_of_everything(
    *, samples: Samples, settings: Settings, listening: Any, follow: Any, send: Send
):
    async with listening(settings) as instance, follow(instance) as changes:
        await send(settings.topic_events, samples.record(samples.created()))
        (event,) = await changes.some(1)
    await send(settings.topic_events, samples.record(samples.updated()))
    async with listening(settings) as instance, follow(instance, event.id) as changes:
        (event,) = await changes.some(1)
        assert event.about == (samples.note, 2)


async def test_a_projector_elsewhere_is_followed_and_a_late_note_holds_up_nobody(
    *, samples: Samples, settings: Settings, listening: Any, follow: Any, send: Send
):
    async with listening(settings, "projector"), listening(settings, "api") as api, follow(api) as changes:
        await send(settings.topic_events, samples.record(samples.updated(version=2)), partition=0)
        await send(settings.topic_events, samples.record(samples.created(samples.other)), partition=0)
        (event,) = await changes.some(1)
        assert event.about == (samples.other, 1)
        await send(settings.topic_events, samples.record(samples.created()), partition=0)
        assert [event.about for event in await changes.some(2)] == [(samples.note, 1), (samples.note, 2)]


async def test_heartbeats_come_over_the_wire(
    *, samples: Samples, settings: Settings, listening: Any, follow: Any, send: Send, monkeypatch: Any
):
    init = streams.Streams.__init__

    def hasty(self: Any, *given: Any, **named: Any) -> None:
        init(self, *given, **named | {"heartbeat_s": 0.1})

    monkeypatch.setattr(streams.Streams, "__init__", hasty)
    async with listening(settings) as instance, follow(instance) as changes:
        waiting = asyncio.create_task(changes.next())
        await eventually(lambda: changes.comments, lambda found: found >= 3)
        await send(settings.topic_events, samples.record(samples.created()))
        assert (await waiting).about == (samples.note, 1)


async def test_the_reader_rests_when_nobody_listens_and_begins_again(
    *, samples: Samples, settings: Settings, listening: Any, follow: Any, send: Send, monkeypatch: Any
):
    monkeypatch.setattr(hub, "IDLE_S", 0.1)
    async with listening(settings) as instance:
        for version in (1, 2, 3):
            async with follow(instance) as changes:
                message = samples.created() if version == 1 else samples.updated(version=version)
                await send(settings.topic_events, samples.record(message))
                (event,) = await changes.some(1)
                assert event.about == (samples.note, version)
            await eventually(
                lambda: instance.client.get("/metrics"), lambda found: "notes_query_streams 0.0" in found.text
            )
            await asyncio.sleep(1.5)  # the reader looks once a second whether it is still needed


async def test_a_topic_of_another_number_of_partitions_is_followed(
    *, samples: Samples, settings: Settings, listening: Any, follow: Any, send: Send, servers: Any
):
    topic = f"{settings.topic_events}.five"
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 5, 1)])
        other = settings.model_copy(update={"topic_events": topic, "query_group": topic})
        async with listening(other) as instance:
            async with follow(instance) as changes:
                await send(topic, samples.record(samples.created()), samples.record(samples.created(samples.other)))
                first, second = await changes.some(2)
            async with follow(instance, first.id) as changes:
                assert (await changes.some(1))[0].about == second.about
    finally:
        await admin.delete_topics([topic])
        await admin.close()
