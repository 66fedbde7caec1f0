"""What a reader would find, looked at in MongoDB without a stop at the contestant's own process."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
from motor.motor_asyncio import AsyncIOMotorClient

from tools.bench.contestants import OURS, Contestant, Running
from tools.bench.workload import Workload
from tools.sandbox import RunError, Sandbox

AT_MOST_S = 180.0
LOOK_S = 0.01
SAMPLE = 50
CHUNK = 5000


class Documents:
    """The note documents of a contestant."""

    def __init__(self, made: Sandbox, contestant: Contestant) -> None:
        self._database: Any = AsyncIOMotorClient(made.mongo).get_default_database()
        self._ours = contestant is OURS
        self._collection: Any = None

    async def collection(self) -> Any:
        """Return the collection; ours has an active build to the one that is served."""
        if self._collection is None:
            self._collection = self._database[f"notes_{await self.served()}" if self._ours else "notes"]
        return self._collection

    async def served(self) -> int:
        """Return the build of our notes that readers get."""
        active = await self._database.active_builds.find_one({"_id": "notes"})
        build: int = active["build"]
        return build

    async def holds(self, wanted: Mapping[str, int]) -> bool:
        """Say whether all of these notes are at these versions or later ones."""
        notes = await self.collection()
        query = {"_id": {"$in": list(wanted)}}
        found = {item["_id"]: item["version"] async for item in notes.find(query, {"version": 1})}
        return all(found.get(note_id, 0) >= version for note_id, version in wanted.items())

    async def wait_for(
        self, wanted: Mapping[str, int], running: Running, at_most_s: float, look_s: float = LOOK_S
    ) -> float:
        """Return the time (of time.perf_counter) at which they are, looked for every `look_s`. Raises RunError."""
        deadline = time.perf_counter() + at_most_s
        while not await self.holds(wanted):
            running.check()
            if time.perf_counter() > deadline:
                raise RunError(f"not all notes were visible within {at_most_s:g} s: {running.made.logs}")
            await asyncio.sleep(look_s)
        return time.perf_counter()

    async def background_events(self) -> int:
        """Return how many events the background projector has done: its history has one document for each."""
        active = await self._database.active_builds.find_one({"_id": "history"})
        count: int = await self._database[f"history_{active['build']}"].estimated_document_count()
        return count

    async def drain(self, events: int, running: Running, at_most_s: float) -> tuple[int, float]:
        """Return how many of `events` the background projector has not done yet, and its events per second until then.

        Raises RunError.
        """
        began = time.perf_counter()
        behind = events - await self.background_events()
        while await self.background_events() < events:
            running.check()
            if time.perf_counter() - began > at_most_s:
                raise RunError(f"the background projector was not done within {at_most_s:g} s: {running.made.logs}")
            await asyncio.sleep(LOOK_S)
        return behind, behind / (time.perf_counter() - began)

    async def check(self, workload: Workload) -> None:
        """Compare version and body of every note. Raises RunError: a wrong run has no figure."""
        notes, ids = await self.collection(), list(workload.expected)
        for part in (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)):
            cursor = notes.find({"_id": {"$in": part}}, {"version": 1, "body": 1})
            found = {item["_id"]: (item["version"], item["body"]) async for item in cursor}
            for note_id in part:
                if found.get(note_id) != workload.expected[note_id]:
                    raise RunError(f"the note {note_id} is not as it must be")


async def check_api(url: str, workload: Workload) -> None:
    """Read a sample over HTTP. Raises RunError."""
    ids = list(workload.expected)[:: max(1, len(workload.expected) // SAMPLE)]
    async with httpx.AsyncClient(base_url=url) as client:
        for note_id in ids:
            answer = await client.get(f"/notes/{note_id}")
            if answer.status_code != 200 or answer.json()["version"] != workload.expected[note_id][0]:
                raise RunError(f"GET /notes/{note_id} answered {answer.status_code}: {answer.text[:200]}")
