"""What both sides have in the end, compared with the plan.

Of the write side nothing is asked: topics and tables alone. The read side answers over HTTP: every note, and a
sample of the rest. What it keeps is looked at, too: its own `verify`, what waits beside the documents, and what it gave
up on.
"""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from pymongo import AsyncMongoClient

from tools.sandbox import Program, Sandbox, connected, run
from tools.soak.pair import arrived
from tools.soak.plan import Plan
from tools.soak.rules import State, fate

AT_ONCE: Final = 8
SAMPLE: Final = 2000
PAGE: Final = 200
TIMEOUT_S: Final = 30.0
SHOWN: Final = 10
KINDS: Final = ("lost", "doubled", "out of order", "wrong", "parked", "differing")
"""`parked`: notes of which the read side misses a version, or has one twice and differently. `differing`: what the read
side answers or keeps that is not what the plan or the events make of it."""


@dataclass(slots=True)
class Findings:
    """Sentences by kind. Among the counts, `repeats` are records that came again byte for byte, as they may."""

    found: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def well(self) -> bool:
        """Return whether nothing was found."""
        return not any(self.found.values())

    def add(self, kind: str, sentence: str) -> None:
        """Note one finding."""
        self.found[kind].append(sentence)

    def compare(self, what: str, found: Mapping[str, Any], wanted: Mapping[str, Any], *kinds: str) -> None:
        """Note every key that differs: as the first of `kinds` if it is not there, as the last if it is."""
        for key in found.keys() | wanted.keys():
            if (one := found.get(key)) != (other := wanted.get(key)):
                self.add(kinds[-1] if key in found else kinds[0], f"{what} {key}: {one}, not {other}")

    def show(self) -> None:
        """Print all counts, and the first findings of each kind."""
        print(f"{'counted':<13} {', '.join(f'{count:,} {name}' for name, count in self.counts.items())}")
        for kind, sentences in self.found.items():
            print(f"{kind:<13} {len(sentences)}", *sentences[:SHOWN], sep="\n    ")


async def check_write_side(made: Sandbox, plan: Plan, findings: Findings) -> None:
    """Read everything and compare."""
    await _check_events(made, plan, findings)
    await _check_outcomes(made, plan, findings)
    await _check_dead_letters(made, plan, findings)
    await _check_tables(made, plan, findings)


async def _distinct(
    made: Sandbox, kind: str, findings: Findings, key_of: Callable[[Any], Any]
) -> AsyncIterator[tuple[Any, Any]]:
    """Yield key and record, each key once; one that comes again with other contents is a double."""
    seen: dict[Any, int] = {}
    async for record in arrived(made, kind):
        key, identity = key_of(record), hash((record.key, record.value, tuple(record.headers)))
        if key not in seen:
            seen[key] = identity
            findings.counts[kind] += 1
            yield key, record
            continue
        findings.counts["repeats"] += 1
        if seen[key] != identity:
            findings.add("doubled", f"{kind}: {key}: two different records")


async def _check_events(made: Sandbox, plan: Plan, findings: Findings) -> None:
    def note_and_version(record: Any) -> tuple[str, int]:
        data = json.loads(record.value)
        return data["note_id"], data["version"]

    versions: dict[str, list[int]] = {note_id: [0] for note_id in plan.notes}
    async for (note_id, version), _ in _distinct(made, "events", findings, note_and_version):
        if note_id not in versions:
            findings.add("wrong", f"event of a note that nobody made: {note_id}")
            continue
        if version != versions[note_id][-1] + 1:
            findings.add("out of order", f"note {note_id}: version {version} came after {versions[note_id][-1]}")
        versions[note_id].append(version)
    for note_id, state in plan.notes.items():
        if missing := set(range(state.version + 1)) - set(versions[note_id]):
            findings.add("lost", f"note {note_id}: no event of versions {sorted(missing)}")
        if max(versions[note_id]) > state.version:
            findings.add("doubled", f"note {note_id}: {versions[note_id][1:]}, {state.version} changes were sent")


async def _check_outcomes(made: Sandbox, plan: Plan, findings: Findings) -> None:
    def command(record: Any) -> str:
        return str(json.loads(record.value)["command_id"])

    outcomes = {id_: fate(json.loads(one.value)) async for id_, one in _distinct(made, "outcomes", findings, command)}
    findings.compare("outcome of command", outcomes, plan.fates, "lost", "wrong")


async def _check_dead_letters(made: Sandbox, plan: Plan, findings: Findings) -> None:
    def origin(record: Any) -> tuple[bytes, bytes]:
        headers = dict(record.headers)
        return headers["dead-letter-partition"], headers["dead-letter-offset"]

    count = len([one async for one in _distinct(made, "command_dead_letters", findings, origin)])
    if count != plan.poison:
        findings.add("lost" if count < plan.poison else "doubled", f"{count} dead letters of {plan.poison} poisoned")


async def _check_tables(made: Sandbox, plan: Plan, findings: Findings) -> None:
    async with connected(made.postgres) as connection:
        rows = await connection.fetch("SELECT id::text, version, title, body, tags, author, status FROM notes")
        counts = {
            table: await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of our own
            for table in ("inbox", "dead_letters")
        }
    notes = {
        note_id: State(version, title, body, tuple(tags), *rest) for note_id, version, title, body, tags, *rest in rows
    }
    findings.compare("note in the table", notes, plan.notes, "lost", "wrong")
    findings.compare("rows of", counts, {"inbox": len(plan.fates), "dead_letters": plan.poison}, "wrong")


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


def _questions(plan: Plan) -> Iterator[tuple[str, Any, Callable[[Any], Any]]]:
    """Yield paths, what the answer has to be, and what of the answer is compared."""
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
    """Look at everything. Raises StackError."""
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
