"""MongoDB knows less than Kafka has committed: it was emptied, or restored, while the service was away."""

from typing import Any

import pytest
from query_support.fixtures import Database, Running, Samples, Send, Settings
from structlog.testing import capture_logs

from notes_query.composition.projector import begin_builds
from notes_query.composition.shared import Shared
from notes_query.errors import StoreUnavailable
from notes_query.monitoring.lag import StoredOffsets
from notes_query.projections import READ_MODELS
from tests.harness.waiting import eventually
from tests.servers.kafka import create, delete

AGAIN = "the store knows less, reading again"


class System:
    """A note at version 2 and its commands' outcomes, in MongoDB and on the topics. `backup`: what was there before."""

    def __init__(self, samples: Samples, settings: Settings, database: Database, send: Send) -> None:
        self.samples, self.settings, self.send = samples, settings, send
        self.database = database._database
        self.backup: dict[str, list[Any]] = {}

    async def write(self, version: int) -> None:
        """Write a version as command-service does."""
        event = self.samples.created() if version == 1 else self.samples.updated(version=version)
        await self.send(self.settings.topic_events, self.samples.record(event))
        outcome = self.samples.outcome(str(version), version=version)
        await self.send(self.settings.topic_outcomes, self.samples.record(outcome))

    async def save(self) -> None:
        """Take the backup once every group has told how far it is."""
        told = self.database["progress"]

        async def all_told() -> bool:
            return len(await told.distinct("group", {"position": {"$gt": 0}})) == 3

        await eventually(all_told)
        for name in await self.database.list_collection_names():
            self.backup[name] = await self.database[name].find().to_list()

    async def restore(self, backup: dict[str, list[Any]]) -> None:
        """Put this in the place of everything."""
        for name in await self.database.list_collection_names():
            await self.database[name].delete_many({})
        for name, documents in backup.items():
            if documents:
                await self.database[name].insert_many(documents)

    async def shown(self, client: Any) -> Any:
        """Return what readers get."""
        note = await client.get(f"/notes/{self.samples.note}")
        history = await client.get(f"/notes/{self.samples.note}/history")
        found = await client.get("/notes/search", params={"q": "body"})
        outcomes = [(await client.get(f"/commands/{self.samples.id(name)}")).status_code for name in ("1", "2")]
        ready = (await client.get("/readyz")).status_code
        versions = [one["version"] for one in history.json().get("items", [])]
        return ready, note.json().get("version"), sorted(versions), len(found.json().get("items", [])), outcomes

    async def all_shown(self, client: Any) -> bool:
        return bool(await self.shown(client) == (200, 2, [1, 2], 1, [200, 200]))


@pytest.fixture
async def system(*, samples: Samples, settings: Settings, database: Database, running: Running, send: Send) -> System:
    """Give what was fed and is not running."""
    system = System(samples, settings, database, send)
    async with running(settings) as client:
        await system.write(1)
        await system.save()
        await system.write(2)
        await eventually(lambda: system.all_shown(client))
    return system


async def test_an_emptied_mongodb_is_filled_again(system: System, running: Running):
    await system.restore({})
    async with running(system.settings) as client:
        await eventually(lambda: system.all_shown(client))


@pytest.mark.parametrize("silent", [0, 8])
async def test_a_restored_mongodb_comes_up_to_date_again(
    *, silent: int, system: System, running: Running, verified: Any, monkeypatch: pytest.MonkeyPatch
):
    """Also where it does not say at once how far it is."""
    read, left = StoredOffsets.read, [None] * silent

    async def away_at_first(offsets: StoredOffsets, topic_id: str) -> dict[int, int]:
        if left:
            left.pop()
            raise StoreUnavailable("MongoDB: AutoReconnect")
        return await read(offsets, topic_id)

    monkeypatch.setattr(StoredOffsets, "read", away_at_first)
    await system.restore(system.backup)
    with capture_logs() as logs:
        async with running(system.settings) as client:
            await eventually(lambda: system.all_shown(client))
    said = {one["event"] for one in logs}
    assert "not consuming, trying again" not in said
    assert AGAIN in said
    reports = await verified()
    assert {name: (one.documents, one.differences) for name, one in reports.items()} == {
        "notes": (1, []),
        "search": (1, []),
        "history": (2, []),
    }


async def test_what_rests_is_not_read_again_after_a_day(system: System, running: Running):
    """The release before has told its progress alone, which expires; no record has come since the update."""
    told = system.database["progress"]
    marks, progress = {"offsets": {"$exists": True}}, {"group": {"$exists": True}}
    async with running(system.settings):
        await eventually(lambda: told.distinct("group", {"position": 2}), lambda found: len(found) == 3)
    assert (await told.delete_many(marks)).deleted_count == 3
    async with running(system.settings):
        await eventually(lambda: told.count_documents(marks), lambda found: found == 3)
    await told.delete_many(progress)
    with capture_logs() as logs:
        async with running(system.settings) as client:
            await eventually(lambda: told.distinct("group", progress), lambda found: len(found) == 3)
            await eventually(lambda: system.all_shown(client))
    assert AGAIN not in {one["event"] for one in logs}


async def test_what_was_read_of_a_topic_says_nothing_of_the_one_that_was_made_anew(
    *, system: System, running: Running, servers: Any, topics: Any
):
    """The backup knows as many records of the old topic as Kafka has seen read of the new one."""
    await system.restore(system.backup)
    await delete(servers.kafka, topics)
    await create(servers.kafka, topics)
    await system.write(2)
    async with running(system.settings) as client:
        await eventually(lambda: system.all_shown(client))
    await system.restore(system.backup)
    async with running(system.settings) as client:
        await eventually(lambda: system.all_shown(client))


async def test_a_build_of_before_that_mongodb_has_forgotten_is_not_gone_on_with(system: System, operator: Shared):
    """It was begun after the backup: its number is free again, and its group has read all there is."""
    notes = (await operator.builds.served())["notes"]
    assert READ_MODELS.keys() == (await operator.builds.served()).keys()
    await system.restore({})
    assert await operator.topic.committed(notes.group)
    begun = await begin_builds(operator).begin([], "notes", ["notes"])
    assert begun is not None
    assert (begun.state, await operator.topic.committed(begun.group)) == ("building", {})
