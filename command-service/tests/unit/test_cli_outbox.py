"""`outbox` on the command line."""

import json

import pytest
from command_support.parked_rows import NOTE, Rows, parked

from notes_command.outbox import backlog
from notes_command.outbox.cli import SHOWN, outbox


async def test_what_waits_and_what_is_parked(capsys: pytest.CaptureFixture[str]) -> None:
    assert await outbox(Rows([parked()]), None, None, as_json=False) == 0
    assert capsys.readouterr().out.splitlines() == [
        "waiting 7, the oldest for 1.3 s; parked 1",
        f"position  topic         note{' ' * 32}  type                         parked at                 reason",
        f"12        notes.events  {NOTE}  notes.event.note-created.v1  2026-01-02T03:04:05.678Z  too large\\x1b",
    ]


async def test_programs_get_what_is_parked_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert await outbox(Rows([parked()]), None, None, as_json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {name: shown[name] for name in ("waiting", "oldest_s", "parked")} == {
        "waiting": 7,
        "oldest_s": 1.26,
        "parked": 1,
    }
    assert shown["rows"] == [
        {
            "position": 12,
            "topic": "notes.events",
            "aggregateid": NOTE,
            "type": "notes.event.note-created.v1",
            "parked_at": "2026-01-02T03:04:05.678Z",
            "reason": "too large\x1b",
        }
    ]


async def test_of_nothing_parked_only_the_figures_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert await outbox(Rows(), None, None, as_json=False) == 0
    assert capsys.readouterr().out == "waiting 7, the oldest for 1.3 s; parked 0\n"


async def test_more_than_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert await outbox(Rows([parked(number) for number in range(SHOWN + 5)]), None, None, as_json=False) == 0
    assert capsys.readouterr().out.endswith("these are the first 100 of 105\n")


async def test_unparked_means_sent(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Rows([parked(), parked(13)])
    assert await outbox(rows, NOTE.upper(), None, as_json=False) == 0
    assert capsys.readouterr().out == f"2 records of {NOTE} sent, in order\n"
    rows.rows.clear()
    assert await outbox(rows, NOTE, None, as_json=False) == 1
    assert capsys.readouterr().err == f"nothing of {NOTE} is parked\n"


async def test_what_was_not_sent_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows([parked(), parked(13), parked(14)], {13: "too large", 14: "an earlier record"})
    assert await outbox(rows, NOTE, None, as_json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"1 record of {NOTE} sent, in order",
        "2 records parked again: too large",
    ]
    monkeypatch.setattr(backlog, "SENT_WITHIN_S", 0.0)
    rows.after = {14: None}
    assert await outbox(rows, NOTE, None, as_json=True) == 1
    told = {"note": NOTE, "unparked": 3, "sent": 2, "waiting": 1, "parked": 0, "reason": None}
    assert json.loads(capsys.readouterr().out) == told


async def test_dropping_says_how_many_records_of_the_note_are_gone(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Rows([parked(), parked(13)])
    assert await outbox(rows, None, NOTE.upper(), as_json=False) == 0
    assert capsys.readouterr().out.startswith(f"2 records of {NOTE} dropped; ")
    assert await outbox(rows, None, NOTE, as_json=False) == 1
    assert capsys.readouterr().err == f"nothing of {NOTE} is parked\n"
    assert await outbox(rows, None, NOTE, as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == {"note": NOTE, "dropped": 0}
