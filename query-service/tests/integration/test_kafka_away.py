"""Without Kafka there is nothing new to read, and everything else can be read."""

from dataclasses import replace
from typing import Any

from query_support.fixtures import Database, Running, Samples, Send, Settings

from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.topics import provision
from notes_contracts.topics import EVENTS_TOPIC
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_store import FoldStore
from notes_query.projections import READ_MODELS
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import Build
from tests.harness.waiting import eventually


async def test_readers_are_served_and_readiness_names_kafka(
    *, samples: Samples, settings: Settings, running: Running, database: Database, unused_tcp_port: int
):
    builds = BuildStore(database, READ_MODELS)
    await builds.add(Build(1, "notes", {"notes": 2}, "group", "complete", {}, samples.start))
    await builds.add(Build(2, "background", {"search": 2, "history": 1}, "background", "complete", {}, samples.start))
    for read_model, number in (("notes", 1), ("search", 2), ("history", 2)):
        await builds.point(read_model, number, samples.start)
    await FoldStore(database, "notes_v2_1").write(Writes(inserts=[samples.document(samples.created())]))
    async with running(settings.model_copy(update={"kafka": f"127.0.0.1:{unused_tcp_port}"})) as client:

        async def named() -> Any:
            parts = (await client.get("/readyz")).json()["parts"]
            return {"kafka", "notes", "outcomes"} <= set(parts) and parts

        parts = await eventually(named)
        ready = await client.get("/readyz")
        note = await client.get(f"/notes/{samples.note}?min_version=1")

    assert [parts[name]["ok"] for name in ("kafka", "notes", "outcomes", "mongo")] == [False, False, False, True]
    assert parts["kafka"]["reason"].removeprefix("Kafka: ") == "KafkaConnectionError", "no address: readiness is public"
    assert ready.status_code == 200
    assert (note.status_code, note.headers["consistency"]) == (200, "current")


async def test_the_first_start_waits_for_kafka_and_says_so(
    *, settings: Settings, running: Running, unused_tcp_port: int
):
    async with running(settings.model_copy(update={"kafka": f"127.0.0.1:{unused_tcp_port}"})) as client:
        answer = await client.get("/notes")

        async def named() -> Any:
            return (await client.get("/readyz")).json()["parts"].get("builds")

        part = await eventually(named)

    assert (answer.status_code, answer.json()["code"]) == (503, "building")
    assert "retry-after" in answer.headers
    assert part["reason"] == "Kafka: KafkaConnectionError"


async def test_a_topic_that_is_not_there_yet_is_named_and_read_once_it_is(
    *, samples: Samples, settings: Settings, running: Running, send: Send, servers: Any
):
    late = settings.model_copy(update={"topic_events": f"{settings.topic_events}.late"})
    async with running(late) as client:

        async def named() -> Any:
            return f"there is no topic {late.topic_events}" in (await client.get("/readyz")).text

        await eventually(named)
        await provision(Cluster(servers.kafka), [replace(EVENTS_TOPIC, name=late.topic_events)])
        await send(late.topic_events, samples.record(samples.created()))

        async def there() -> bool:
            return (await client.get(f"/notes/{samples.note}")).status_code == 200

        await eventually(there)
