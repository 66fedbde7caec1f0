"""However many ids there are, one question names a chunk of them: more than 16 MiB is no question for MongoDB."""

from typing import Any

import pytest
from query_support.fixtures import Samples

from notes_query.projections.note import READ_MODEL
from notes_query.rebuilding import stored_documents as module
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.builds import Build, Move
from notes_query.rebuilding.stored_documents import StoredDocuments
from notes_query.rebuilding.switch_build import SwitchBuild

IDS = [f"{number:02}" for number in range(23)]


class Cursor:
    def __init__(self, found: list[dict[str, Any]]) -> None:
        self._found = found

    async def to_list(self, _: Any) -> list[dict[str, Any]]:
        return self._found

    async def __aiter__(self) -> Any:
        for one in self._found:
            yield one


class Collection:
    """Has every document at version 1, all of them parked, and remembers how many ids each question names."""

    def __init__(self) -> None:
        self.named: list[int] = []

    def find(self, query: Any, *_: Any) -> Cursor:
        ids = query["_id"]["$in"]
        self.named.append(len(ids))
        return Cursor([{"_id": id_, "version": 1, "parked": 1} for id_ in ids])

    async def distinct(self, _: str, query: Any) -> list[str]:
        self.named.append(len(query["note_id"]["$in"]))
        return []


class Collections(dict[str, Collection]):
    def __missing__(self, name: str) -> Collection:
        return self.setdefault(name, Collection())


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Collections:
    monkeypatch.setattr(module, "CHUNK", 10)
    return Collections()


async def test_what_is_still_behind_is_looked_for_in_chunks(database: Any):
    suspects = dict.fromkeys(IDS, 2)

    assert await StoredDocuments(database).still_behind(READ_MODEL, suspects, "new") == suspects
    assert {name: one.named for name, one in database.items()} == {"new": [10, 10, 3], "new_parked": [10, 10, 3]}


async def test_documents_are_loaded_in_chunks(database: Any):
    assert list(await StoredDocuments(database).load("new", IDS)) == IDS
    assert {name: one.named for name, one in database.items()} == {"new": [10, 10, 3], "missing_versions": [10, 10, 3]}


@pytest.mark.parametrize(("force", "compared"), [(True, []), (False, [("notes_v2_1", "notes_v2_1")])])
async def test_with_force_nothing_is_compared(samples: Samples, *, force: bool, compared: list[tuple[str, str]]):
    """Whatever is missing, readers get the other build: nobody waits until less of it is."""
    asked = []

    class Stored:
        async def behind(self, _: Any, old: str, new: str) -> dict[str, int]:
            asked.append((old, new))
            return {}

    class Topic:
        async def beginnings(self) -> dict[int, int]:
            return {0: 0}

        async def committed(self, _: str) -> dict[int, int]:
            return {0: 0}

    build = Build(1, "notes", {"notes": 2}, "g", "complete", {}, samples.start)

    class Builds:
        async def all(self) -> list[Build]:
            return [build]

    unused: Any = None
    begin = BeginBuilds(Builds(), Topic(), {"notes": READ_MODEL}, unused, "g", unused)  # type: ignore[arg-type]
    await SwitchBuild(begin, Stored()).ready([Move("notes", 1, 1)], {1: build}, force=force)  # type: ignore[arg-type]
    assert asked == compared
