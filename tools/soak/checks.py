"""What the write side made, held against the plan. Nothing of the service is asked: topics and tables alone."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tools.sandbox import Sandbox, connected
from tools.soak.model import State
from tools.soak.plan import Plan
from tools.soak.report import Findings


@dataclass(slots=True)
class FirstSeen:
    """Tells repeats from doubles: one key, one record."""

    findings: Findings
    what: str
    seen: dict[Any, int] = field(default_factory=dict)

    def first(self, key: Any, record: Any) -> bool:
        """Return whether the key is new; one that is known with other contents is a double."""
        identity = hash((record.key, record.value, tuple(record.headers)))
        known = self.seen.get(key)
        if known is None:
            self.seen[key] = identity
            return True
        self.findings.repeats += 1
        if known != identity:
            self.findings.doubled.append(f"{self.what} {key}: two different records")
        return False


async def check(made: Sandbox, plan: Plan, findings: Findings) -> None:
    """Read everything and compare."""
    await _check_events(made, plan, findings)
    await _check_outcomes(made, plan, findings)
    await _check_letters(made, plan, findings)
    await _check_store(made, plan, findings)


async def _check_events(made: Sandbox, plan: Plan, findings: Findings) -> None:
    last = dict.fromkeys(plan.notes, 0)
    books = FirstSeen(findings, "event")
    async for record in _arrived(made, "events"):
        data = json.loads(record.value)
        note_id, version = data["note_id"], data["version"]
        if not books.first((note_id, version), record):
            continue
        findings.events += 1
        if note_id not in last:
            findings.wrong.append(f"event of a note that nobody made: {note_id}")
        elif version != last[note_id] + 1:
            findings.disordered.append(f"note {note_id}: version {version} came after {last[note_id]}")
        last[note_id] = max(version, last.get(note_id, 0))
    for note_id, state in plan.notes.items():
        missing = [number for number in range(1, state.version + 1) if (note_id, number) not in books.seen]
        if missing:
            findings.lost.append(f"note {note_id}: no event of versions {missing}")
        if last[note_id] > state.version:
            findings.doubled.append(f"note {note_id}: version {last[note_id]}, {state.version} changes were sent")


async def _check_outcomes(made: Sandbox, plan: Plan, findings: Findings) -> None:
    books = FirstSeen(findings, "outcome of")
    async for record in _arrived(made, "outcomes"):
        data = json.loads(record.value)
        command_id, error = data["command_id"], data["error"]
        if not books.first(command_id, record):
            continue
        findings.outcomes += 1
        expected = plan.fates.get(command_id)
        found = (data["status"], data["version"], error and error["code"])
        if found != expected:
            findings.wrong.append(f"outcome of {command_id}: {found}, not {expected}")
    findings.lost += [f"command {lost}: no outcome" for lost in plan.fates.keys() - books.seen.keys()]


async def _check_letters(made: Sandbox, plan: Plan, findings: Findings) -> None:
    books = FirstSeen(findings, "dead letter of")
    async for record in _arrived(made, "command_dead_letters"):
        headers = dict(record.headers)
        books.first((headers["dead-letter-partition"], headers["dead-letter-offset"]), record)
    findings.letters = len(books.seen)
    if findings.letters < plan.poison:
        findings.lost.append(f"{plan.poison - findings.letters} of {plan.poison} dead letters")
    if findings.letters > plan.poison:
        findings.doubled.append(f"{findings.letters} dead letters of {plan.poison} poisoned records")


async def _check_store(made: Sandbox, plan: Plan, findings: Findings) -> None:
    async with connected(made.postgres) as connection:
        rows = await connection.fetch("SELECT id::text, version, title, body, tags, author, status FROM notes")
        inbox = await connection.fetchval("SELECT count(*) FROM inbox")
        letters = await connection.fetchval("SELECT count(*) FROM dead_letters")
    found = {
        note_id: State(version, title, body, tuple(tags), *rest) for note_id, version, title, body, tags, *rest in rows
    }
    expected = plan.notes
    findings.lost += [f"note {note_id} is not in the store" for note_id in expected.keys() - found.keys()]
    findings.wrong += [f"note {note_id}: nobody made it" for note_id in found.keys() - expected.keys()]
    findings.wrong += [
        f"note {note_id}: {found[note_id]!r}, not {wanted!r}"
        for note_id, wanted in expected.items()
        if note_id in found and found[note_id] != wanted
    ]
    for what, count, wanted_count in (("inbox", inbox, len(plan.fates)), ("dead letters", letters, plan.poison)):
        if count != wanted_count:
            findings.wrong.append(f"{what}: {count} rows, not {wanted_count}")


async def _arrived(made: Sandbox, kind: str) -> AsyncIterator[Any]:
    """Yield what a topic holds, from its beginning to its present end, each partition in order."""
    async with AIOKafkaConsumer(bootstrap_servers=made.kafka, enable_auto_commit=False) as consumer:
        topic = made.topics[kind]
        await consumer._client.force_metadata_update()  # noqa: SLF001 - a topic it has not asked about has no partitions
        numbers = await consumer._client._wait_on_metadata(topic)  # noqa: SLF001
        partitions = [TopicPartition(topic, number) for number in numbers]
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    yield record
