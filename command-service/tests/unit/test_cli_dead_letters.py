"""`dead-letters` on the command line: what a person sees, what a program reads, and the exit codes."""

import base64
import json
from typing import Any

import pytest
from command_support.builders import source
from command_support.stored_dead_letters import DeadLettersAsked, stored_dead_letter

from notes_command.cli import parser
from notes_command.dead_letters.cli import dead_letters
from notes_command.dead_letters.dead_letter import next_id

NOTE = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
FIRST = stored_dead_letter(source=source(partition=3, offset=17), note_id=NOTE)
SECOND = stored_dead_letter(
    source=source(partition=10, offset=4), note_id=None, type=None, command_id=None, reason="x" * 200
)
HOSTILE = stored_dead_letter(
    source=source(offset=5, key=b"\xff\n", value=b'{"a":\x1b[2J\n1}', headers=(("x\x1b", b"\r"), ("none", None))),
    type="evil\x1b]0;title\x07" + "y" * 100,
    reason="first\nsecond\u202e",
)


@pytest.fixture
def kept() -> DeadLettersAsked:
    return DeadLettersAsked([FIRST, SECOND])


async def run(kept: DeadLettersAsked, *words: str) -> int:
    return await dead_letters(kept, parser().parse_args(["dead-letters", *words]))


async def test_the_list_is_a_table(kept: DeadLettersAsked, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(kept, "list") == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        f"id                   time                      state  code         type         note{' ' * 34}reason",
        f"notes.commands:3:17  2026-01-02T03:04:05.678Z  open   undecodable  update-note  {NOTE}  not JSON",
        f"notes.commands:10:4  2026-01-02T03:04:05.678Z  open   undecodable  -            -{' ' * 35}  {'x' * 79}…",
    ]
    assert shown.err == ""


async def test_an_empty_list_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(DeadLettersAsked([]), "list") == 0
    assert capsys.readouterr().out == "no dead letters\n"
    assert await run(DeadLettersAsked([]), "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


async def test_nothing_in_a_record_is_obeyed_by_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    kept = DeadLettersAsked([HOSTILE])
    await run(kept, "list")
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert await run(kept, "list") == await run(kept, "show", HOSTILE.id) == 0
    shown = capsys.readouterr().out
    assert {char for char in shown if not char.isprintable()} == {"\n"}
    assert r"first\nsecond\u202e" in shown
    assert 'value         {"a":\\x1b[2J\n1}' in shown, "lines of a value stay lines"


async def test_the_list_for_programs(kept: DeadLettersAsked, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(kept, "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0] == {
        "id": "notes.commands:3:17",
        "time": "2026-01-02T03:04:05.678Z",
        "state": "open",
        "code": "undecodable",
        "type": "notes.command.update-note.v1",
        "command_id": FIRST.command_id,
        "note_id": NOTE,
        "reason": "not JSON",
    }


async def test_one_whole_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    def base64_of(value: bytes) -> str:
        return base64.b64encode(value).decode()

    assert await run(DeadLettersAsked([HOSTILE]), "show", HOSTILE.id, "--json") == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert shown["headers"] == [["x\x1b", base64_of(b"\r")], ["none", None]]
    assert (shown["key"], shown["value"]) == (base64_of(b"\xff\n"), base64_of(HOSTILE.source.value or b""))


@pytest.mark.parametrize("action", ["list", "show", "redrive", "drop"])
async def test_an_id_that_is_not_there(kept: DeadLettersAsked, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(kept, action, "notes.commands:0:999") == 1
    assert "there is no dead letter notes.commands:0:999" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["redrive", "drop"])
async def test_a_change_of_nothing_named_is_refused(
    kept: DeadLettersAsked, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(kept, action) == 2
    assert "Name ids, give a filter, or say --all" in capsys.readouterr().err
    assert kept.asked == []
    assert await run(kept, action, "--all") == 0
    assert await run(kept, action, "--all") == 1
    assert "no dead letters match" in capsys.readouterr().err


async def test_what_was_sent_back_is_named_with_its_new_id(
    kept: DeadLettersAsked, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(kept, "redrive", FIRST.id) == 0
    assert capsys.readouterr().out == f"redriven {FIRST.id} as command {next_id(FIRST)}\n"
    assert await run(kept, "redrive", FIRST.id, "--json") == 0, "again: the same command, one effect"
    assert json.loads(capsys.readouterr().out) == {
        "redriven": [{"id": FIRST.id, "command_id": next_id(FIRST)}],
        "held": [],
    }


async def test_what_is_held_back_is_named_and_force_sends_it(
    kept: DeadLettersAsked, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.held[FIRST.position] = f"note {NOTE} has changed since, and is at version 9"
    assert await run(kept, "redrive", "--all") == 1
    shown = capsys.readouterr()
    assert shown.out == f"redriven {SECOND.id} as command {next_id(SECOND)}\n"
    assert f"held back {FIRST.id}: note {NOTE} has changed since, and is at version 9; --force" in shown.err
    assert await run(kept, "redrive", FIRST.id, "--json") == 1
    (held,) = json.loads(capsys.readouterr().out)["held"]
    assert held == {"id": FIRST.id, "note_id": NOTE, "reason": kept.held[FIRST.position]}
    assert await run(kept, "redrive", FIRST.id, "--force") == 0
    assert kept.forced == [False, False, True]


async def test_what_was_dropped_is_named(kept: DeadLettersAsked, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(kept, "drop", FIRST.id, SECOND.id) == 0
    assert capsys.readouterr().out == f"dropped {FIRST.id}\ndropped {SECOND.id}\n"
    assert await run(kept, "drop", FIRST.id, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"dropped": [FIRST.id]}


async def test_a_list_that_is_cut_short_says_so(kept: DeadLettersAsked, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(kept, "list", "--limit", "1") == 0
    assert "there may be more: these are the oldest 1 (--limit)" in capsys.readouterr().err
    assert await run(kept, "list", "--limit", "3") == 0
    assert await run(kept, "list", "--limit", "1", FIRST.id, SECOND.id) == 0, "all that are named are meant"
    assert capsys.readouterr().err == ""
    assert kept.asked[-1][1] == 2
