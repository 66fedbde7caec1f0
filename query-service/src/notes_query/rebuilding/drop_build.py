"""Give builds up with their documents, or what the release left behind that had no versions in its names."""

import asyncio
from time import monotonic
from typing import Any, Final

from notes_query.errors import Refused
from notes_query.mongo.database import Database
from notes_query.mongo.driver import driver_errors
from notes_query.monitoring.lag import StoredOffsets
from notes_query.projections.read_model import parked_of
from notes_query.rebuilding.build_store import LIVE_S, BuildStore

LOOK_S: Final = 0.1
STOPPED_S: Final = 60.0
"""A projector lets the batch in flight end before it stops feeding."""
_RECORDS: Final = ("pointers", "instances", "generations")
"""In the order in which they are dropped: the last one names the others."""


async def drop_build(builds: BuildStore, database: Database, number: int) -> None:
    """Drop it; one that was dropped before has what is left of it removed.

    Raises Refused for one that is served or that there never was; StoreUnavailable.
    """
    known, active, live = await builds.look()
    build = next((one for one in known if one.number == number), None)
    if build is None:
        raise Refused(f"there is no build {number}")
    if any(one.build == number for one in builds.mine(active).values()):
        raise Refused(f"build {number} is served")
    if answering := [one.id for one in live if number in (one.active_builds or {}).values()]:
        raise Refused(f"build {number} is served by {', '.join(answering)}")
    if not await builds.drop(number):
        raise Refused(f"build {number} is served")
    until = monotonic() + STOPPED_S
    # Whoever feeds it would make the collections again.
    while feeding := [one.id for one in (await builds.look()).live if number in one.feeds]:
        if monotonic() > until:
            raise Refused(f"still fed by {', '.join(feeding)}; its documents are kept. Drop it again later")
        await asyncio.sleep(LOOK_S)
    with driver_errors():
        for collection in map(build.collection, build.versions):
            await database[collection].drop()
            await database[parked_of(collection)].drop()
    await StoredOffsets(database, build.group).forget()


async def left_over(builds: BuildStore, database: Database) -> dict[int, list[str]]:
    """Return the collections of dropped builds that are there, by build: the drop was stopped, or is under way.

    Raises StoreUnavailable.
    """
    there, found = await _there(database), dict[int, list[str]]()
    for build in await builds.all():
        names = [name for one in map(build.collection, build.versions) for name in (one, parked_of(one))]
        if build.state == "dropped" and (left := [name for name in names if name in there]):
            found[build.number] = left
    return found


async def _there(database: Database) -> set[str]:
    with driver_errors():
        return set(await database["generations"].database.list_collection_names())


async def unversioned(database: Database) -> list[str]:
    """Return the names of the collections of the release without versions that are there. Raises StoreUnavailable.

    Nothing of it is read: read models are built anew in their first version. The release before goes on with it until
    it is dropped, so that it can be rolled back to.
    """
    there = await _there(database)
    with driver_errors():
        found: list[dict[str, Any]] = await database["generations"].find({}).to_list(None)
    documents = [f"{name}_{one['_id']}" for one in found for name in one["shapes"]]
    return [name for one in documents for name in (one, parked_of(one)) if name in there] + [
        name for name in _RECORDS if name in there
    ]


async def drop_unversioned(database: Database) -> list[str]:
    """Drop them; return their names. Raises Refused while an instance of that release is at work; StoreUnavailable."""
    since: dict[str, Any] = {"$subtract": ["$$NOW", LIVE_S * 1000]}
    with driver_errors():
        live = await database["instances"].find({"$expr": {"$gte": ["$seen_at", since]}}).to_list(None)
    if live:
        raise Refused(f"still used by {', '.join(str(one['_id']) for one in live)}, of the release before")
    names = await unversioned(database)
    with driver_errors():
        for name in names:
            await database[name].drop()
    return names
