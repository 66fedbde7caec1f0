"""What is not there is not verified: that is said, since a success would be believed."""

from argparse import Namespace
from typing import Any

import pytest
from query_support.fixtures import Samples
from query_support.memory_builds import FIRST, MemoryBuilds

from notes_query.commands.verify import wanted_builds
from notes_query.errors import Refused
from notes_query.rebuilding.builds import Build

BACKGROUND = {"search": 1, "history": 1}


@pytest.fixture
async def store(samples: Samples) -> MemoryBuilds:
    store = MemoryBuilds(FIRST)
    builds = [
        (1, {"notes": 1}, "complete"),
        (2, BACKGROUND, "complete"),
        (3, BACKGROUND, "dropped"),
        (4, {"notes": 2}, "complete"),
    ]
    for number, versions, state in builds:
        await store.add(Build(number, "notes", versions, f"g{number}", state, {}, samples.start))  # type: ignore[arg-type]
    for name, number in (("notes", 1), ("search", 2)):
        await store.point(name, number, samples.start)
    return store


def asked(build: int | None, *names: str) -> tuple[Any, Namespace]:
    return [FIRST[name] for name in names or FIRST], Namespace(build=build, read_models=list(names))


@pytest.mark.parametrize(
    ("build", "names", "said"),
    [
        (9, [], "there is no build 9"),
        (3, [], "there is no build 3"),
        (1, ["search"], "build 1 holds notes version 1, and not search"),
        (1, ["notes", "search"], "build 1 holds notes version 1, and not search"),
        (4, [], "build 4 holds notes in version 2, and this release has version 1"),
        (None, [], "history: not served yet"),
    ],
)
async def test_what_is_not_there_is_refused(store: MemoryBuilds, build: Any, names: list[str], said: str):
    with pytest.raises(Refused, match=said):
        await wanted_builds(store, *asked(build, *names))  # type: ignore[arg-type]


async def test_of_a_build_all_that_it_has_is_verified(store: MemoryBuilds):
    of_two = await wanted_builds(store, *asked(2))  # type: ignore[arg-type]
    served = await wanted_builds(store, *asked(None, "notes"))  # type: ignore[arg-type]

    assert {name: one.number for name, one in of_two.items()} == {"search": 2, "history": 2}
    assert {name: one.number for name, one in served.items()} == {"notes": 1}
