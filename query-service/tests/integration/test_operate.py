"""The operators' commands as they are typed."""

import json
from typing import Any, NamedTuple

import pytest
from query_support.fixtures import Database, Running, Samples, Send, Settings
from query_support.reading import reached


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def typed(command_line: Any) -> Any:
    async def typed(*arguments: str) -> Ran:
        return Ran(*await command_line(*arguments))

    return typed


async def test_builds_are_listed_verified_and_not_dropped_while_served(
    *, samples: Samples, settings: Settings, running: Running, send: Send, typed: Any
):
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await reached(client, samples.note)
        listed = await typed("builds", "--json")
        verified = await typed("verify", "notes", "--json")
        absent = await typed("verify", "--build", "9")
        refused = await typed("drop", "1")
        unknown = await typed("rebuild", "nothing")

    assert [(one["build"], one["serves"]) for one in json.loads(listed.out)] == [
        (1, ["notes"]),
        (2, ["search", "history"]),
    ]
    assert (verified.code, json.loads(verified.out)["notes"]["documents"]) == (0, 1)
    assert (absent.code, absent.err.splitlines()[0]) == (2, "refused: there is no build 9")
    assert (refused.code, refused.err.splitlines()[0]) == (1, "refused: build 1 is served")
    assert (unknown.code, unknown.err.splitlines()[0]) == (
        1,
        "refused: there is no read model nothing; there are notes, search, history",
    )


async def test_a_difference_is_exit_code_one_and_nobody_to_build_is_said(
    *, samples: Samples, settings: Settings, running: Running, send: Send, typed: Any, database: Database
):
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await reached(client, samples.note)
        await database["notes_v2_1"].update_one({}, {"$set": {"title": "by hand"}})
        found = await typed("verify", "notes")
        repaired = await typed("verify", "notes", "--repair")
        again = await typed("verify", "notes")
    unfed = await typed("rebuild", "notes", "--timeout", "1")

    assert [one.code for one in (found, repaired, again)] == [1, 1, 0]
    assert "'by hand'" in found.out
    assert "events/s" in found.out
    assert "1 repaired" in repaired.out
    assert (unfed.code, "not done within 1 s; run it again to go on" in unfed.err) == (1, True)
