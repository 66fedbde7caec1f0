"""What the read side answers in the end, compared with the plan: every note over HTTP, and a sample of the rest.

And what it keeps: its own `verify`, what waits beside the documents, and what it gave up on.
"""

import asyncio
import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import httpx
from pymongo import AsyncMongoClient

from tools.sandbox import Program, Sandbox, run
from tools.soak.findings import Findings
from tools.soak.kafka import arrived
from tools.soak.plan import Plan
from tools.soak.rules import fate

AT_ONCE: Final = 8
SAMPLE: Final = 2000
PAGE: Final = 200
TIMEOUT_S: Final = 30.0

Question = tuple[str, Any, Callable[[Any], Any]]
"""A path, what its answer has to be, and what of the answer is compared."""


async def check_answers(apis: Sequence[Program], plan: Plan, findings: Findings) -> None:
    """Ask the APIs in turn. Raises httpx.HTTPError."""
    found: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    questions, urls = _questions(plan), itertools.cycle([api.url for api in apis])
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:

        async def ask() -> None:
            for path, expected, part_of in questions:
                wanted[path] = expected
                answer = await client.get(next(urls) + path)
                found[path] = part_of(answer.json()) if answer.status_code == httpx.codes.OK else answer.status_code

        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
        listed: list[tuple[str, int]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = await client.get(f"{next(urls)}/notes?status=all&limit={PAGE}{cursor}")
            page = answer.raise_for_status().json()
            listed += [(item["id"], item["version"]) for item in page["items"]]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    findings.counts["answers compared"] += len(found)
    findings.compare("GET", found, wanted, "differing")
    there = {note_id: note.version for note_id, note in plan.notes.items() if note.status != "deleted"}
    findings.compare("listed note", dict(listed), there, "differing")
    if len(listed) > len(dict(listed)):
        findings.add("differing", f"{len(listed) - len(dict(listed))} notes are on two pages of the list")


def _questions(plan: Plan) -> Iterator[Question]:
    drawn = random.Random(plan.seed)  # noqa: S311 - a sample
    for note_id, note in plan.notes.items():
        view = {name: value for name, value in note._asdict().items() if name != "body"} | {
            "id": note_id,
            "preview": note.body[:100],
            "word_count": len(note.body.split()),
            "tags": list(note.tags),
        }
        body = {"id": note_id, "version": note.version, "body": note.body}
        history = list(range(1, min(PAGE, note.version) + 1))
        for path, wanted, part_of in (
            ("", view, _view),
            ("/body", body, dict),
            (f"/history?limit={PAGE}", history, lambda page: [one["version"] for one in page["items"]]),
        ):
            yield f"/notes/{note_id}{path}", httpx.codes.GONE if note.status == "deleted" else wanted, part_of
    for command_id in drawn.sample(list(plan.fates), min(SAMPLE, len(plan.fates))):
        yield f"/commands/{command_id}", plan.fates[command_id], fate


def _view(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if not name.endswith("_at")}


async def check_read_store(made: Sandbox, findings: Findings) -> None:
    """Look at everything. Raises RunError."""
    code, printed = await run(made, "notes_query", "verify", "--json", may_fail=True)
    reports = json.loads(printed or "{}")
    for name, report in reports.items():
        for kind in ("differences", "unverifiable"):
            findings.found["differing"] += [f"verify: {name}: {kind}: {one}" for one in report[kind]]
    if code or not reports:
        findings.add("differing", f"verify: exit code {code}, {len(reports)} read models; its log is in {made.logs}")
    async with AsyncMongoClient[dict[str, Any]](made.mongo) as client:
        database = client.get_default_database()
        for name in await database.list_collection_names(filter={"name": {"$regex": "_parked$"}}):
            async for one in database[name].find({"kind": {"$in": ["gap", "fork"]}}):
                findings.add("parked", f"{name}: note {one['note_id']}: {one['kind']}")
        async for one in database["missing_versions"].find():
            findings.add("parked", f"note {one['_id']}: version {one['version']} was announced and did not come")
    async for _ in arrived(made, "event_dead_letters"):
        findings.add("wrong", "an event became a dead letter")
