"""What the read side answers in the end, held against the plan: every note over HTTP, and a sample of the rest.

And what it keeps: its own `verify`, what waits beside the documents, and what it gave up on.
"""

import asyncio
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
from pymongo import AsyncMongoClient

from tools.sandbox import Program, Sandbox, run
from tools.soak.model import State
from tools.soak.plan import Plan
from tools.soak.report import Findings
from tools.soak.waiting import ends_of

AT_ONCE: Final = 8
SAMPLE: Final = 2000
PAGE: Final = 200
PREVIEW: Final = 100
TIMEOUT_S: Final = 30.0


async def check_reads(apis: Sequence[Program], plan: Plan, findings: Findings) -> None:
    """Ask the APIs in turn. Raises httpx.TransportError."""
    drawn = random.Random(plan.seed)  # noqa: S311 - a sample
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        asking = _Asking(itertools.cycle([api.url for api in apis]), plan, findings, client)
        await _at_once(asking.compare_note, plan.notes)
        await _at_once(asking.compare_history, drawn.sample(list(plan.notes), min(SAMPLE, len(plan.notes))))
        await _at_once(asking.compare_outcome, drawn.sample(list(plan.fates), min(SAMPLE, len(plan.fates))))
        await asking.compare_list()


async def _at_once(work: Callable[[str], Awaitable[None]], ids: Iterable[str]) -> None:
    left = iter(ids)

    async def worker() -> None:
        for id_ in left:
            await work(id_)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


@dataclass(slots=True)
class _Asking:
    urls: Iterator[str]
    plan: Plan
    findings: Findings
    client: httpx.AsyncClient

    async def _get(self, path: str) -> tuple[int, Any]:
        answer = await self.client.get(next(self.urls) + path)
        return answer.status_code, answer.json()

    async def compare_note(self, note_id: str) -> None:
        state = self.plan.notes[note_id]
        status, found = await self._get(f"/notes/{note_id}")
        body_status, body = await self._get(f"/notes/{note_id}/body")
        self.findings.compared += 1
        if state.status == "deleted":
            if (status, body_status) != (410, 410):
                self._differs(f"note {note_id}: {status} {found}, though it is deleted")
            return
        wanted = _view(note_id, state)
        shown = {name: found.get(name) for name in wanted} if status == httpx.codes.OK else (status, found)
        if shown != wanted:
            self._differs(f"note {note_id}: {shown}, not {wanted}")
        if body != {"id": note_id, "version": state.version, "body": state.body}:
            self._differs(f"note {note_id}: the body {body_status} {body}, not {state.version}, {state.body!r}")

    async def compare_history(self, note_id: str) -> None:
        state = self.plan.notes[note_id]
        status, found = await self._get(f"/notes/{note_id}/history?limit={PAGE}")
        if state.status == "deleted":
            if status != httpx.codes.GONE:
                self._differs(f"history of {note_id}: {status}, though it is deleted")
            return
        versions = [item["version"] for item in found["items"]] if status == httpx.codes.OK else status
        if versions != list(range(1, min(PAGE, state.version) + 1)):
            self._differs(f"history of {note_id}: {versions}, not all up to {state.version}")

    async def compare_outcome(self, command_id: str) -> None:
        status, found = await self._get(f"/commands/{command_id}")
        error = found.get("error")
        shown = (found["status"], found["version"], error and error["code"]) if status == httpx.codes.OK else status
        if shown != self.plan.fates[command_id]:
            self._differs(f"GET /commands/{command_id}: {shown}, not {self.plan.fates[command_id]}")

    async def compare_list(self) -> None:
        """Go through all pages: every note once, none that is deleted."""
        listed: dict[str, int] = {}
        cursor = ""
        while True:
            status, page = await self._get(f"/notes?status=all&limit={PAGE}{cursor}")
            if status != httpx.codes.OK:
                self._differs(f"the list: {status} {page}")
                return
            for item in page["items"]:
                if item["id"] in listed:
                    self._differs(f"note {item['id']} is on two pages of the list")
                listed[item["id"]] = item["version"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        wanted = {note_id: one.version for note_id, one in self.plan.notes.items() if one.status != "deleted"}
        for note_id in wanted.keys() | listed.keys():
            if wanted.get(note_id) != listed.get(note_id):
                self._differs(f"note {note_id} in the list: {listed.get(note_id)}, not {wanted.get(note_id)}")

    def _differs(self, sentence: str) -> None:
        self.findings.differing.append(sentence)


def _view(note_id: str, state: State) -> dict[str, Any]:
    return {
        "id": note_id,
        "title": state.title,
        "preview": state.body[:PREVIEW],
        "word_count": len(state.body.split()),
        "tags": list(state.tags),
        "author": state.author,
        "status": state.status,
        "version": state.version,
    }


async def check_read_store(made: Sandbox, findings: Findings) -> None:
    """Look at everything. Raises SoakError."""
    await _verify(made, findings)
    await _parked(made, findings)
    letters = sum((await ends_of(made, "event_dead_letters", 1)).values())
    if letters:
        findings.wrong.append(f"{letters} events became dead letters")


async def _verify(made: Sandbox, findings: Findings) -> None:
    code, printed = await run(made, "notes_query", "verify", "--json", may_fail=True)
    reports = json.loads(printed or "{}")
    found = [
        f"verify: {name}: {kind}: {one}"
        for name, report in reports.items()
        for kind in ("differences", "unverifiable")
        for one in report[kind]
    ]
    findings.differing += found
    if code or not reports:
        findings.differing.append(f"verify: exit code {code}, {len(reports)} read models; its log is in {made.logs}")


async def _parked(made: Sandbox, findings: Findings) -> None:
    async with AsyncMongoClient[dict[str, Any]](made.mongo) as client:
        database = client.get_default_database()
        for name in await database.list_collection_names():
            if not name.endswith("_parked"):
                continue
            for kind in ("gap", "fork"):
                for note_id in await database[name].distinct("note_id", {"kind": kind}):
                    findings.parked.append(f"{name}: note {note_id}: {kind}")
        findings.parked += [
            f"note {one['_id']}: version {one['version']} was announced and did not come"
            async for one in database["missing_versions"].find()
        ]
