"""What the write side made, compared with the plan. Nothing of the service is asked: topics and tables alone."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from tools.sandbox import Sandbox, connected
from tools.soak.findings import Findings
from tools.soak.kafka import arrived
from tools.soak.plan import Plan
from tools.soak.rules import State, fate


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
