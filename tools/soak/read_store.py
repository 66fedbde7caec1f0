"""What the read side keeps: its own `verify`, what waits beside the documents, and what it gave up on."""

import json
from typing import Any

from pymongo import AsyncMongoClient

from tools.soak.findings import Findings
from tools.soak.system import System, run
from tools.soak.waiting import ends_of


async def check_read_store(system: System, findings: Findings) -> None:
    """Look at everything. Raises SoakError."""
    await _verify(system, findings)
    await _parked(system, findings)
    letters = sum((await ends_of(system, "event_dead_letters", 1)).values())
    if letters:
        findings.wrong.append(f"{letters} events became dead letters")


async def _verify(system: System, findings: Findings) -> None:
    code, printed = await run(system, "notes_query", "verify", "--json", may_fail=True)
    reports = json.loads(printed or "{}")
    found = [
        f"verify: {name}: {kind}: {one}"
        for name, report in reports.items()
        for kind in ("differences", "unverifiable")
        for one in report[kind]
    ]
    findings.differing += found
    if code or not reports:
        findings.differing.append(f"verify: exit code {code}, {len(reports)} shapes; its log is in {system.logs}")


async def _parked(system: System, findings: Findings) -> None:
    assert system.mongo is not None
    async with AsyncMongoClient[dict[str, Any]](system.mongo) as client:
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
