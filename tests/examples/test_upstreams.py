"""The upstreams of examples/, in four languages, against a real broker and command-service.

`make examples` runs these. A language that is not installed is skipped, with a line that says so.
"""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from notes_contracts import COMMANDS, EVENTS
from notes_contracts.topics import partition_of
from tests.contract.golden_file import golden, with_unknown_field
from tests.e2e.pair import Make, environment, make_service
from tests.examples.languages import LANGUAGES, Language
from tests.examples.languages import environment as plain
from tests.harness.kafka_io import Sent, header, publish, read_until
from tests.servers.kafka import Topics

__all__ = ["environment", "make_service"]

pytestmark = pytest.mark.timeout(600)  # the first build fetches what it needs
every_language = pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
STALE, PAINT = "5f0c2a64-1b7d-4e39-8a90-c6d2e4f1b803", "a3d9e7b1-6c20-4f58-9d4e-07b1c5f28e6a"
UPDATE = "notes.command.update-note.v1"
SEPARATED = "one\u2028two\u2029three\u0085four"
"""Characters that end a line to some, and none in a file of JSON lines."""
HASTE = "const real = setTimeout; setTimeout = (act, ms, ...more) => real(act, ms === 60000 ? 1000 : ms, ...more)"
"""Has Node take a minute, which is how long the example waits, for a second."""


def commands() -> list[dict[str, Any]]:
    """Every golden command in the order of its note's life, one that is stale, and one that nobody knows."""
    lines = [
        {"id": golden(name).attributes["ce_id"].decode(), "type": name, "data": golden(name).data} for name in COMMANDS
    ]
    stale = {"id": STALE, "type": UPDATE, "data": golden(UPDATE).data | {"body": SEPARATED}}
    unknown = {"id": PAINT, "type": "notes.command.paint-note.v1", "data": golden(UPDATE).data}
    return [*lines[:2], stale, unknown, *lines[2:]]


async def start(language: Language, settings: dict[str, str], *arguments: str) -> Process:
    if (reason := language.missing()) is not None:
        pytest.skip(reason)
    command = await asyncio.to_thread(language.built)
    return await asyncio.create_subprocess_exec(
        *command, *arguments, cwd=language.folder, env=plain(**settings), stdout=PIPE, stderr=PIPE
    )


async def end(process: Process) -> tuple[int | None, list[str]]:
    out, err = await process.communicate()
    assert process.returncode in {0, 1}, err.decode()
    assert out, err.decode()
    return process.returncode, out.decode().splitlines()


@every_language
async def test_every_golden_command_is_sent_and_answered_once_though_the_upstream_crashes(
    language: Language, environment: dict[str, str], make_service: Make, topics: Topics, tmp_path: Path
) -> None:
    kafka, file, expected = environment["NOTES_KAFKA"], tmp_path / "commands.jsonl", commands()
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in expected), encoding="utf-8")

    first = await start(language, environment, "send", str(file))  # nobody decides commands yet
    await read_until(kafka, topics.commands, lambda found: len(found) >= 1)
    first.kill()  # it has sent a command, and knows no outcome
    await first.wait()
    (tmp_path / "commands.jsonl.outcomes").write_text('{"command_id": "torn')  # as a crash may leave it

    service = make_service("command")
    await asyncio.to_thread(service.start)
    status, said = await end(await start(language, environment, "send", str(file)))

    versions = iter(range(1, 20))
    assert said == [
        f"{STALE} rejected version_conflict the note is at version 2, not 1"
        if line["id"] == STALE
        else f"{PAINT} failed undecodable unknown type 'notes.command.paint-note.v1'"
        if line["id"] == PAINT
        else f"{line['id']} accepted {next(versions)}"
        for line in expected
    ]
    assert status == 1  # not all were accepted

    records = await read_until(kafka, topics.commands, lambda found: len(found) > len(expected))
    sent = [(header(record, "ce_id"), header(record, "ce_type"), json.loads(record.value)) for record in records]
    wanted = [(line["id"], line["type"], line["data"]) for line in expected]
    assert sent == [wanted[0], *wanted]  # the first one twice, with the same id
    assert {(record.key, record.partition) for record in records} == {
        (golden(UPDATE).key, partition_of(golden(UPDATE).key, 12))
    }
    outcomes = await read_until(kafka, topics.outcomes, lambda found: len(found) > len(expected))
    ids = [header(record, "ce_id") for record in outcomes]
    assert ids[0] == ids[1], "the repeat has its first outcome again"
    assert len(set(ids)) == len(expected)

    assert await end(await start(language, environment, "send", str(file))) == (1, said)
    await asyncio.to_thread(service.kill)
    again = await read_until(kafka, topics.commands, lambda found: len(found) >= len(records))
    assert len(again) == len(records), "what the journal knows is not sent again"


async def test_outcomes_of_others_do_not_keep_an_upstream_waiting(
    environment: dict[str, str], topics: Topics, tmp_path: Path
) -> None:
    """In TypeScript, whose client knows no deadline; to the others one is given."""
    (typescript,) = [language for language in LANGUAGES if language.name == "typescript"]
    (tmp_path / "commands.jsonl").write_text(json.dumps(commands()[1]) + "\n")
    (tmp_path / "haste.cjs").write_text(HASTE)
    hasty = environment | {"NODE_OPTIONS": f"--require={tmp_path}/haste.cjs"}
    upstream = await start(typescript, hasty, "send", str(tmp_path / "commands.jsonl"))
    await read_until(environment["NOTES_KAFKA"], topics.commands, lambda found: len(found) >= 1)
    create = golden("notes.outcome.accepted.v1")
    others = Sent(create.key, create.value, list(create.headers))
    try:
        async with asyncio.timeout(60):
            while upstream.returncode is None:
                await publish(environment["NOTES_KAFKA"], topics.outcomes, [others])
    finally:
        if upstream.returncode is None:
            upstream.kill()
            await upstream.wait()
    assert upstream.returncode == 3


@every_language
async def test_every_golden_event_is_read(language: Language, environment: dict[str, str], topics: Topics) -> None:
    painted, note = "notes.event.note-painted.v1", golden("notes.event.note-deleted.v1")
    messages = [(name, golden(name)) for name in EVENTS]
    later = with_unknown_field(golden("notes.event.note-created.v1"))  # of a later writer, and a repeat
    story = [*messages, ("notes.event.note-created.v1", later), (painted, note)]
    records = [
        Sent(message.key, message.value, [(n, name.encode() if n == "ce_type" else v) for n, v in message.headers])
        for name, message in story
    ]
    await publish(environment["NOTES_KAFKA"], topics.events, records)
    _, said = await end(await start(language, environment, "read", str(len(records))))

    known, expected = 0, []
    for name, message in story:
        expected.append({"type": name, "new": message.data["version"] > known, "data": message.data})
        known = max(known, message.data["version"])
    assert [json.loads(line) for line in said] == expected


@every_language
def test_an_example_is_short(language: Language) -> None:
    (source,) = [
        path
        for path in language.folder.rglob("*")
        if path.suffix in {".java", ".go", ".ts", ".py"}
        and not {"node_modules", ".venv", "target", "out"} & set(path.parts)
    ]
    assert len(source.read_text(encoding="utf-8").splitlines()) < 150
