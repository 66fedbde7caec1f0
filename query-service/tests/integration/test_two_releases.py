"""A release with another version of a read model, and a new one: deployed while the one before serves, and back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from query_support.fixtures import Running, Samples, Send, Settings

from notes_query.commands.builds import make_rebuild
from notes_query.commands.verify import make_verify
from notes_query.composition.shared import Shared
from notes_query.errors import Refused
from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.drop_build import drop_build
from tests.harness.waiting import eventually

NOTES = 12


def _loud(document: Any, event: Any) -> Any:
    """Fold a note as the next version does: its preview is in capitals, and it has a field more."""
    evolve = READ_MODELS["notes"].evolve
    assert evolve is not None
    after = evolve(document, event)
    return {**after, "preview": after["preview"].upper(), "loud": True}


NEXT: Mapping[str, ReadModel] = {
    **READ_MODELS,
    "notes": replace(READ_MODELS["notes"], version=3, evolve=_loud),
    "kinds": ReadModel("kinds", 1, "background", (), entry=lambda event: {"_id": event.id, "event_id": event.id}),
}


@pytest.fixture
async def next_operator(settings: Settings) -> AsyncIterator[Shared]:
    """Give what an operator's commands work with that are of the next release."""
    shared = Shared(settings, NEXT)
    yield shared
    await shared.topic.close()
    await shared.database.close()


@dataclass
class Balancer:
    """Asks every instance that is ready in turn, as a load balancer does, and remembers each answer that is worse."""

    notes: list[str]
    clients: dict[str, Any] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    worse: list[Any] = field(default_factory=list)
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def balanced(self, name: str, client: Any) -> AsyncIterator[None]:
        """Ask this instance, too, until the block is left."""
        self.clients[name] = client
        yield
        async with self.asking:
            del self.clients[name]

    async def run(self) -> None:
        while True:
            for note in self.notes:
                for name in list(self.clients):
                    async with self.asking:
                        if (client := self.clients.get(name)) is not None:
                            await self._ask(name, client, note)
            await asyncio.sleep(0)

    async def _ask(self, name: str, client: Any, note: str) -> None:
        answer = await client.get(f"/notes/{note}")
        shown = answer.json()
        if answer.status_code != 200 or shown["version"] < self.seen[note] or len(shown) != 10:
            self.worse.append((name, note, self.seen[note], answer.status_code, answer.text))
        elif shown["preview"] != (f"BODY {shown['version']}" if name == "new" else f"body {shown['version']}"):
            self.worse.append((name, shown))
        self.seen[note] = max(self.seen[note], shown.get("version", 0))
        self.answers[name] += 1

    async def more(self, *names: str) -> None:
        """Wait until each of these has answered every note once more."""
        wanted = {name: self.answers[name] + 2 * NOTES for name in names}
        await eventually(lambda: all(self.answers[name] >= least for name, least in wanted.items()), within_s=60)


@dataclass
class Writer:
    """Writes a version more of every note."""

    samples: Any
    settings: Any
    send: Any
    notes: list[str]
    version: int = 1

    async def once(self) -> None:
        made = self.samples.created if self.version == 1 else self.samples.updated
        records = [made(note, self.version, body=f"body {self.version}") for note in self.notes]
        await self.send(self.settings.topic_events, *map(self.samples.record, records))
        self.version += 1

    async def run(self) -> None:
        while True:
            await self.once()
            await asyncio.sleep(0.05)


@pytest.fixture
def notes(samples: Samples) -> list[str]:
    return [samples.id(f"note {number}") for number in range(NOTES)]


async def reason(client: Any) -> str | None:
    """Return why readers should not come to an instance; None if they may."""
    answer = await client.get("/readyz")
    found: str | None = answer.json()["parts"]["read models"].get("reason")
    assert (found is None) is (answer.status_code == 200), answer.text
    return found


async def ready(client: Any) -> bool:
    return await reason(client) is None


async def test_a_release_is_deployed_while_the_one_before_serves_and_rolled_back(
    *,
    samples: Samples,
    settings: Settings,
    running: Running,
    send: Send,
    notes: list[str],
    operator: Shared,
    next_operator: Shared,
    verified: Any,
):
    writer, balancer = Writer(samples, settings, send, notes), Balancer(notes)
    await writer.once()
    before = AsyncExitStack()
    old = await before.enter_async_context(running(settings))
    await eventually(lambda: ready(old))
    await before.enter_async_context(balancer.balanced("old", old))
    tasks = [asyncio.create_task(step) for step in (writer.run(), balancer.run())]
    async with running(settings, "api", read_models=NEXT) as waits:
        await balancer.more("old")
        assert "notes version 3 is not complete yet" in (await reason(waits) or "")
        building = await waits.get(f"/notes/{notes[0]}")
        assert (building.status_code, building.json()["code"]) == (503, "building")
        async with running(settings, read_models=NEXT) as new, running(settings, read_models=NEXT) as other:
            for client in (waits, new, other):
                await eventually(lambda client=client: ready(client))
            built = ["kinds version 1", "notes version 2", "notes version 3", "search version 2, history version 1"]
            assert sorted(map(str, await operator.builds.all())) == built
            async with balancer.balanced("new", new):
                await balancer.more("old", "new")
                with pytest.raises(Refused, match="Build 1 holds version 2: roll back to the release"):
                    await make_rebuild(next_operator, lambda _: None).back(["notes"])
                with pytest.raises(Refused, match="build 1 is served by"):
                    await drop_build(next_operator.builds, next_operator.database, 1)
                await before.aclose()
                await balancer.more("new")

                async def told() -> bool:  # which each release that answers does every five seconds
                    return (await operator.builds.answered_from())["notes"] != {1}

                await eventually(told)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert balancer.worse == []
    # Rolled back: what the old release had is behind until it has caught up.
    async with running(settings, "api") as waits:
        assert await reason(waits) == "notes is not as far yet as what readers had before"
        async with running(settings) as old:
            await eventually(lambda: ready(old))
            await eventually(lambda: ready(waits))
            checking = Balancer(notes, {"old": old}, balancer.seen)
            again = asyncio.create_task(checking.run())
            await checking.more("old")
            again.cancel()
    assert checking.worse == []

    reports = await verified()
    assert [one.differences for one in reports.values()] == [[], [], []]
    assert reports["notes"].documents == reports["search"].documents == NOTES
    assert reports["history"].documents >= NOTES * (writer.version - 1)
    served = (await next_operator.builds.served())["notes"]
    report = await make_verify(next_operator)(NEXT["notes"], served, repair=False)
    assert (report.documents, report.differences) == (NOTES, [])
    assert await operator.database["dead_letters"].count_documents({}) == 0


async def test_what_happens_meanwhile_leaves_each_release_its_own_builds(
    *,
    samples: Samples,
    settings: Settings,
    running: Running,
    send: Send,
    notes: list[str],
    operator: Shared,
    next_operator: Shared,
):
    """A new release that ends in the middle of its build, an old one that is started again, a rebuild, a drop."""
    writer = Writer(samples, settings.model_copy(update={"query_batch": 1}), send, notes)
    for _ in range(3):
        await writer.once()

    async def begun() -> bool:
        return any("version 3" in str(one) for one in await operator.builds.all())

    async def complete() -> bool:
        return (await next_operator.builds.served()).keys() == NEXT.keys()

    async with running(settings) as old:
        await eventually(lambda: ready(old))
        async with running(settings, read_models=NEXT):
            await eventually(begun)
        rebuild = make_rebuild(operator, lambda _: None)(["search", "history"], timeout_s=60)
        rebuilding = asyncio.create_task(rebuild)
    async with running(settings) as old, running(settings, read_models=NEXT) as new:
        await rebuilding
        await eventually(complete)
        await eventually(lambda: ready(new))
        assert await ready(old)
        kept = [one for one in await operator.builds.all() if one.state != "dropped"]
        names = Counter(map(str, kept))
        assert names["notes version 2"] == names["notes version 3"] == names["kinds version 1"] == 1
        assert names["search version 2, history version 1"] == 2, "the one before the rebuild is kept"
        await writer.once()
        for client in (old, new):
            answer = await client.get(f"/notes/{notes[-1]}?min_version={writer.version - 1}&wait=10")
            assert answer.headers["consistency"] == "current"
    # The next release is given up: its builds are dropped by the release that stays, and never come back.
    (number,) = (one.number for one in kept if "version 3" in str(one))
    async with running(settings) as old:
        await eventually(lambda: ready(old))
        await drop_build(operator.builds, operator.database, number)
        assert await ready(old)
    assert "notes" not in await next_operator.builds.served()
    async with running(settings, read_models=NEXT) as new:
        await eventually(lambda: ready(new))
    assert (await next_operator.builds.served())["notes"].number > number
