"""What is written to the log, and what never is: anything of a note."""

import pytest
from command_support.builders import dead_letter, new_id, outcome
from command_support.http_side import HttpSide
from command_support.memory.store import MemoryStore
from structlog.testing import capture_logs

from notes_command.errors import Unavailable
from notes_command.pipeline.batches import DEAD_LETTERS_SHOWN, report
from notes_command.pipeline.decide import Result
from notes_contracts import Code
from tests.harness.log_lines import written
from tests.harness.metrics import shown

SECRET = "dear diary"


def rejected() -> Result:
    return Result(
        outcomes=[
            outcome(),
            outcome(status="rejected", code=Code.VERSION_CONFLICT, message=SECRET),
            outcome(status="rejected", code=Code.VERSION_CONFLICT, message=SECRET),
        ],
        duplicates=2,
    )


def test_at_info_a_batch_has_one_line_at_most() -> None:
    with capture_logs() as lines:
        report([rejected(), rejected()])
        report([Result(outcomes=[outcome()])])
    shown = [line for line in lines if line["log_level"] != "debug"]
    assert [(line["event"], line["decided"], line["refused"], line["duplicates"]) for line in shown] == [
        ("commands refused", 6, {"version_conflict": 4}, 4)
    ]


def test_at_debug_every_command_has_its_line() -> None:
    answer = outcome(status="rejected", code=Code.NOTE_ARCHIVED, message=SECRET)
    with capture_logs() as lines:
        report([Result(outcomes=[answer])])
    (line,) = [line for line in lines if line["log_level"] == "debug"]
    assert (line["command_id"], line["note_id"], line["code"]) == (answer.command_id, answer.note_id, "note_archived")
    assert SECRET not in str(lines)


def test_what_is_dead_lettered_is_named_up_to_a_number() -> None:
    dead_letters = [dead_letter(note_id=new_id(), reason=SECRET) for _ in range(DEAD_LETTERS_SHOWN + 3)]
    before = shown("notes_command_dead_letters_total", code="undecodable")
    with capture_logs() as lines:
        report([Result(dead_letters=dead_letters)])
    source = dead_letters[0].source
    assert lines[0]["id"] == f"{source.topic}:{source.partition}:{source.offset}"
    assert (lines[0]["command_id"], lines[0]["note_id"]) == (dead_letters[0].command_id, dead_letters[0].note_id)
    assert (len(lines), lines[-1]["count"]) == (DEAD_LETTERS_SHOWN + 1, 3)
    assert {line["log_level"] for line in lines} == {"warning"}
    assert shown("notes_command_dead_letters_total", code="undecodable") == before + len(dead_letters)
    assert SECRET not in str(lines)


def test_outcomes_are_counted_by_kind() -> None:
    labels = {"status": "rejected", "code": "version_conflict"}
    before = shown("notes_command_outcomes_total", **labels)
    report([rejected()])
    assert shown("notes_command_outcomes_total", **labels) == before + 2


async def test_an_outage_writes_a_line_and_not_one_for_each_request(
    side: HttpSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> None:
        raise Unavailable("no answer within 4 s")

    for method in ("note", "outcomes"):
        monkeypatch.setattr(MemoryStore, method, down)
    side.working, unread = False, shown("notes_command_outcomes_unread_total")
    with capture_logs() as lines:
        for _ in range(20):
            assert (await side.client.get(f"/notes/{new_id()}")).status_code == 503
            assert (await side.post("create-note", {"title": "T"}, Prefer="wait=1")).status_code == 202
        side.away = "KafkaTimeoutError: notes.commands"
        for _ in range(20):
            assert (await side.post("create-note", {"title": "T"})).status_code == 503
    said = [line["event"] for line in written(lines)]
    assert sorted(said) == ["cannot wait for an outcome", "command not sent", "store unavailable"]
    assert shown("notes_command_outcomes_unread_total") == unread + 20
