"""The grammar of `dead-letters`, and what it says."""

import json
from typing import Any

import pytest
from query_support.fixtures import Samples, Side

from notes_contracts import Code
from notes_query.commands import dead_letters as command
from notes_query.commands import parse
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing.dead_letters import Redrive, Target


@pytest.fixture
def run(side: Side, samples: Samples, capsys: Any) -> Any:
    """Give what runs the command over the twins, and returns exit code, output and complaints."""

    def targets(dead_letters: Any) -> dict[str, list[Target]]:
        return {"events": [Target("build 1", ProjectEvents([side.fold], dead_letters, lambda: samples.start))]}

    redrive = Redrive(side.dead_letters, targets, lambda: samples.start)

    async def run(*arguments: str) -> tuple[int, str, str]:
        code = await command.run(parse(["dead-letters", *arguments]), side.dead_letters, redrive, lambda: samples.start)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
async def dead_letters(side: Side, samples: Samples) -> None:
    hostile = samples.record(samples.updated(), offset=2)._replace(headers=(("ce_type", b"\x1b[2J"),))
    for record in (samples.record(samples.created(), offset=1), hostile):
        await side.dead_letters.add([DeadLetter(record, Code.INTERNAL, "why\nand how\x07", samples.start)])


@pytest.mark.parametrize("action", ["redrive", "drop"])
async def test_a_change_needs_to_be_told_to_what(run: Any, side: Side, dead_letters: None, action: str):
    code, _, complaint = await run(action)

    assert (code, "--all" in complaint) == (2, True)
    assert await side.dead_letters.by_state() == {"open": 2}


async def test_what_a_record_holds_cannot_move_the_cursor(run: Any, dead_letters: None):
    for arguments in (("list",), ("show", "events:0:2")):
        _, output, _ = await run(*arguments)
        assert not {"\x1b", "\x07"} & set(output)
        assert "\\x1b[2J" in output


async def test_dropped_ones_are_gone_from_the_list_and_there_with_all(run: Any, dead_letters: None):
    assert (await run("drop", "events:0:1"))[:2] == (0, "dropped events:0:1\n")

    _, output, _ = await run("list", "--json")
    assert [dead_letter["id"] for dead_letter in json.loads(output)] == ["events:0:2"]
    _, output, _ = await run("list", "--state", "all", "--json")
    assert [dead_letter["state"] for dead_letter in json.loads(output)] == ["dropped", "open"]


async def test_redrive_says_what_became_of_each(run: Any, dead_letters: None):
    code, output, _ = await run("redrive", "--all")

    assert code == 1
    assert output.splitlines()[0] == "redriven events:0:1: 1 applied"
    assert output.splitlines()[1].startswith("failed again events:0:2: build 1: ce_id is missing")


async def test_what_is_not_there_is_said_and_more_than_the_limit_too(run: Any, dead_letters: None):
    assert (await run("show", "events:0:9"))[0] == 1
    code, _, complaint = await run("redrive", "events:0:9")
    assert (code, complaint) == (1, "there is no dead letter events:0:9\n")
    _, _, complaint = await run("list", "--limit", "1")
    assert "there may be more" in complaint
    assert (await run("drop", "--type", "nothing"))[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [("show",), ("list", "--since", "yesterday"), ("list", "--note", "x"), ("list", "--limit", "0"), ("show", "x:1")],
)
def test_what_is_not_asked_properly_is_refused_with_a_sentence(arguments: tuple[str, ...], capsys: Any):
    with pytest.raises(SystemExit) as left:
        parse(["dead-letters", *arguments])

    assert left.value.code == 2
    assert "error: " in capsys.readouterr().err
