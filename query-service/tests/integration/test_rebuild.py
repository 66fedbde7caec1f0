"""Read models are built anew while the old ones serve, switched over, and back."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from query_support.fixtures import Running, Samples, Send, Settings

from notes_query.commands.builds import make_rebuild
from notes_query.composition.shared import Shared
from notes_query.errors import Refused
from notes_query.rebuilding.drop_build import drop_build, left_over
from notes_query.rebuilding.rebuild import Built, Rebuild
from tests.harness.waiting import eventually

NOTES = 40
PACE_S = 0.02
"""Between two reads, or rounds of changes: without it they take the whole of a slow core, and no build is ever met."""


@pytest.fixture
def rebuild(operator: Shared) -> Rebuild:
    return make_rebuild(operator, lambda _: None)


@pytest.fixture
def notes(samples: Samples) -> list[str]:
    return [samples.id(f"note {number}") for number in range(NOTES)]


async def version_at_least(client: Any, note: str, version: int) -> Any:
    async with asyncio.timeout(20):
        # An API of its own hears of the first build a moment after the projector has begun it.
        while (answer := await client.get(f"/notes/{note}?min_version={version}&wait=10")).status_code == 503:
            assert answer.json()["code"] == "building", answer.text
            await asyncio.sleep(0.02)
    assert (answer.status_code, answer.headers["consistency"]) == (200, "current"), answer.text
    return answer.json()


def created(samples: Samples, notes: list[str]) -> list[Any]:
    return [samples.record(samples.created(note)) for note in notes]


def updated(samples: Samples, notes: list[str], version: int) -> list[Any]:
    return [samples.record(samples.updated(note, version)) for note in notes]


class Reader:
    """Reads notes all the time; remembers every answer that is worse than one before."""

    def __init__(self, client: Any, notes: list[str]) -> None:
        self.worse: list[Any] = []
        self.answers = 0
        self._client, self._notes = client, notes
        self._seen: dict[str, int] = {}

    async def run(self) -> None:
        while True:
            for note in self._notes:
                least = self._seen.get(note, 1)
                wait = f"?min_version={least}&wait=5" if self.answers % 2 else ""
                answer = await self._client.get(f"/notes/{note}{wait}")
                version = answer.json().get("version", 0)
                self.answers += 1
                if answer.status_code != 200 or version < least:
                    self.worse.append((note, least, answer.status_code, answer.text))
                self._seen[note] = max(least, version)
                await asyncio.sleep(PACE_S)


async def test_readers_notice_nothing_while_it_is_built_switched_and_switched_back(
    *,
    samples: Samples,
    settings: Settings,
    running: Running,
    send: Send,
    rebuild: Rebuild,
    operator: Shared,
    notes: list[str],
):
    async with running(settings) as one, running(settings) as two:
        await send(settings.topic_events, *created(samples, notes))
        for note in notes:
            await version_at_least(one, note, 1)
        readers = [Reader(client, notes) for client in (one, two)]
        tasks = [asyncio.create_task(reader.run()) for reader in readers]
        version = 1

        async def write() -> None:
            nonlocal version
            while True:
                version += 1
                await send(settings.topic_events, *updated(samples, notes, version))
                await asyncio.sleep(PACE_S)

        tasks.append(asyncio.create_task(write()))
        done = await rebuild(["notes", "search", "history"], timeout_s=60)
        assert {(move.read_model, move.away_from, move.to) for move in done.moves} == {
            ("notes", 1, 3),
            ("search", 2, 4),
            ("history", 2, 4),
        }
        answers = sum(reader.answers for reader in readers)
        await eventually(lambda: sum(reader.answers for reader in readers), lambda found: found >= answers + NOTES)
        back = await rebuild.back(["notes"], timeout_s=60)
        assert [tuple(move) for move in back.moves] == [("notes", 3, 1)]
        tasks.pop().cancel()
        await asyncio.sleep(0)
        for note in notes:
            await version_at_least(two, note, version - 1)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    assert [reader.worse for reader in readers] == [[], []]
    assert version > 2


async def test_what_was_waited_for_before_the_switch_is_answered_after_it(
    *, samples: Samples, settings: Settings, running: Running, send: Send, rebuild: Rebuild
):
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await version_at_least(client, samples.note, 1)
        waiting = asyncio.create_task(version_at_least(client, samples.note, 2))
        await rebuild(["notes"], timeout_s=30)
        await send(settings.topic_events, samples.record(samples.updated()))
        loop = asyncio.get_running_loop()
        started = loop.time()
        await waiting

    assert loop.time() - started < 9


async def test_a_rebuild_that_was_killed_goes_on_or_starts_clean(
    *, samples: Samples, settings: Settings, running: Running, send: Send, operator: Shared, notes: list[str]
):
    def killed(_: Built) -> None:
        raise KeyboardInterrupt

    async with running(settings) as client:
        await send(settings.topic_events, *created(samples, notes))
        await version_at_least(client, notes[-1], 1)
        with pytest.raises(KeyboardInterrupt):
            await make_rebuild(operator, killed)(["notes"])
        numbers = [one.number for one in await operator.builds.all()]
        assert numbers == [1, 2, 3]

        done = await make_rebuild(operator, lambda _: None)(["notes"], timeout_s=30)
        assert [move.to for move in done.moves] == [3]

        # A third one would be too many; the kept one goes first, and then what was begun can be begun again.
        with pytest.raises(Refused, match="`drop 1` first"):
            await make_rebuild(operator, lambda _: None)(["notes"])
        with pytest.raises(Refused, match="build 3 is served"):
            await drop_build(operator.builds, operator.database, 3)
        await drop_build(operator.builds, operator.database, 1)
        assert await left_over(operator.builds, operator.database) == {}
        told = await operator.database["progress"].distinct("_id", {"offsets": {"$exists": True}})
        assert {one[-1] for one in told if "-notes-v2-" in one} == {"3"}
        with pytest.raises(KeyboardInterrupt):
            await make_rebuild(operator, killed)(["notes"])
        done = await make_rebuild(operator, lambda _: None)(["notes"], restart=True, timeout_s=30)
        assert [move.to for move in done.moves] == [5]
        with pytest.raises(Refused, match="no build to switch back to"):
            await make_rebuild(operator, lambda _: None).back(["search"])
        await version_at_least(client, notes[0], 1)
        assert {one.number: one.state for one in await operator.builds.all()} == {
            1: "dropped", 2: "complete", 3: "complete", 4: "dropped", 5: "complete",
        }  # fmt: skip


async def test_a_projector_that_dies_half_way_is_followed_by_another(
    *, samples: Samples, settings: Settings, running: Running, send: Send, operator: Shared, notes: list[str]
):
    small = settings.model_copy(update={"query_batch": 5})
    seen: list[Built] = []
    async with running(small, "api") as client:
        async with running(small, "projector"):
            await send(settings.topic_events, *created(samples, notes), *updated(samples, notes, 2))
            await version_at_least(client, notes[-1], 2)
            rebuilding = asyncio.create_task(make_rebuild(operator, seen.append)(["notes"], timeout_s=60))
            await eventually(lambda: seen)
        async with running(small, "projector"):
            done = await rebuilding
            answer = await version_at_least(client, notes[-1], 2)

    assert [move.to for move in done.moves] == [3]
    assert answer["preview"] == "body 2"


async def test_it_does_not_switch_to_what_would_lose_notes(
    *,
    samples: Samples,
    settings: Settings,
    running: Running,
    send: Send,
    rebuild: Rebuild,
    operator: Shared,
    monkeypatch: Any,
):
    monkeypatch.setattr("notes_query.rebuilding.switch_build.SETTLE_S", 0.5)
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await version_at_least(client, samples.note, 1)
        # A note that the old build has, and that the events do not make.
        stored = await operator.database["notes_v2_1"].find_one({"_id": samples.note})
        await operator.database["notes_v2_1"].insert_one(stored | {"_id": samples.other})

        with pytest.raises(Refused, match=samples.other):
            await rebuild(["notes"], timeout_s=30)
        assert (await operator.builds.active_builds())["notes"].build == 1
        done = await rebuild(["notes"], force=True, timeout_s=30)

    assert [move.to for move in done.moves] == [3]


async def test_it_does_not_switch_while_notes_wait_for_what_may_be_gone(
    *,
    samples: Samples,
    settings: Settings,
    running: Running,
    send: Send,
    rebuild: Rebuild,
    operator: Shared,
    forget: Callable[..., Any],
):
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()), samples.record(samples.updated()))
        await version_at_least(client, samples.note, 2)
        await send(settings.topic_events, samples.record(samples.updated(version=3)))
        await version_at_least(client, samples.note, 3)
        await forget(settings.topic_events, samples.note, 2)

        with pytest.raises(Refused, match="the beginning of the topic is gone"):
            await rebuild(["notes"], timeout_s=30)
        snapshot = samples.snapshotted(version=3)
        await send(settings.topic_events, samples.record(snapshot))

        async def healed() -> bool:
            return await operator.database["notes_v2_3_parked"].count_documents({}) == 0

        await eventually(healed)
        done = await rebuild(["notes"], timeout_s=30)
        answer = await version_at_least(client, samples.note, 3)

    assert [move.to for move in done.moves] == [3]
    assert answer["title"] == snapshot.title
