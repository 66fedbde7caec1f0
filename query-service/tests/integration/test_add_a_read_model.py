"""What docs/add-a-read-model.md says, done on a system that already has data."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from query_support.fixtures import Database, Running, Samples, Send, Settings
from query_support.reading import reached

from notes_query.composition.shared import Shared
from notes_query.errors import Building
from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.active_builds import ActiveBuilds
from tests.harness.waiting import eventually

PAGE = Path(__file__).parents[3] / "docs" / "add-a-read-model.md"
LINES_MAX = 40
NOTES = 25


@pytest.fixture
def read_model() -> ReadModel:
    """Give the read model of the page's only piece of code."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) <= LINES_MAX + 5
    assert len([line for line in code.splitlines() if line.strip()]) < LINES_MAX
    module = ModuleType("notes_query.projections.sizes")
    sys.modules[module.__name__] = module
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    found: ReadModel = module.__dict__["READ_MODEL"]
    return found


async def test_it_is_built_by_itself_beside_what_is_served(
    *, samples: Samples, settings: Settings, running: Running, send: Send, read_model: ReadModel, database: Database
):
    notes = [samples.id(f"note {number}") for number in range(NOTES)]
    async with running(settings) as client:
        await send(settings.topic_events, *(samples.record(samples.created(note)) for note in notes))
        await send(settings.topic_events, *(samples.record(samples.updated(note)) for note in notes))
        await reached(client, notes[-1], 2)

    read_models = {**READ_MODELS, read_model.name: read_model}
    served, operator = ActiveBuilds(), Shared(settings, read_models)
    served.follow(await operator.builds.served())
    with pytest.raises(Building):
        served.collection(read_model.name)

    async with running(settings, read_models=read_models) as client:

        async def complete() -> bool:
            assert (await client.get(f"/notes/{notes[0]}")).status_code == 200  # what was served is served all along
            served.follow(await operator.builds.served())
            return read_model.name in served.builds

        await eventually(complete)
        numbers = {name: build.number for name, build in served.builds.items()}
        assert numbers == {"notes": 1, "search": 2, "history": 2, "sizes": 3}
        await send(settings.topic_events, samples.record(samples.updated(notes[0], 3, body="four")))
        sizes = database[served.collection(read_model.name)]

        async def current() -> Any:
            return await sizes.find_one({"_id": notes[0], "version": 3})

        document = await eventually(current)
        largest = await sizes.find({}, {"_id": 1}).sort([("characters", -1), ("_id", -1)]).limit(5).explain()
    await operator.topic.close()
    await operator.database.close()

    assert (document["characters"], document["changes"]) == (4, 2)
    assert await sizes.count_documents({"changes": 1, "characters": len("body 2")}) == NOTES - 1
    assert largest["executionStats"]["totalKeysExamined"] == 5
