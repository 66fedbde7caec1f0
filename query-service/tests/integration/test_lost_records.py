"""What retention removes before it is read is counted, and its notes are parked: never passed over in silence."""

from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from query_support.fixtures import Running, Samples, Send, Settings

from notes_contracts import partition_of
from notes_contracts.topics import PARTITIONS
from tests.harness.metrics import shown
from tests.harness.waiting import eventually


async def test_records_deleted_while_the_projector_was_down_are_counted_and_park_their_note(
    *, samples: Samples, settings: Settings, running: Running, send: Send, servers: Any
):
    before = shown("notes_query_lost_records_total", projector="notes")
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))

        async def there() -> bool:
            return (await client.get(f"/notes/{samples.note}?min_version=1&wait=5")).status_code == 200

        await eventually(there)

    later = [samples.record(samples.updated(version=version)) for version in range(2, 7)]
    await send(settings.topic_events, *later)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    at = TopicPartition(settings.topic_events, partition_of(samples.note.encode(), PARTITIONS))
    await admin.delete_records({at: RecordsToDelete(before_offset=4)})
    await admin.close()

    async with running(settings) as client:

        async def parked() -> bool:
            answer = await client.get(f"/notes/{samples.note}")
            return answer.headers.get("consistency") == "parked" and answer.json().get("version") == 1

        await eventually(parked)
        text = (await client.get("/metrics")).text

    assert shown("notes_query_lost_records_total", projector="notes") - before == 3
    assert 'notes_query_lost_records_total{projector="notes"}' in text
