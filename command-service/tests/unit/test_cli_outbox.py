"""`outbox` on the command line."""

import json
from dataclasses import dataclass, field

import pytest
from command_support.builders import NOW

from notes_command.application.relay_ports import Destination, ParkedRow, Waiting
from notes_command.entrypoints.cli.outbox import SHOWN, outbox

NOTE = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


@dataclass
class Rows:
    """Implements the port OutboxView."""

    rows: list[ParkedRow] = field(default_factory=list)

    async def backlog(self) -> list[Waiting]:
        first, second = Destination("notes.events", 3), Destination("notes.events", 4)
        return [Waiting(first, 5, len(self.rows), 0.5), Waiting(second, 2, 0, 1.26)]

    async def parked_rows(self, limit: int) -> list[ParkedRow]:
        return self.rows[:limit]

    async def unpark(self, aggregateid: str) -> int:
        before = len(self.rows)
        self.rows = [row for row in self.rows if row.aggregateid != aggregateid]
        return before - len(self.rows)


def parked(position: int = 12, reason: str = "too large\x1b") -> ParkedRow:
    return ParkedRow(position, "notes.events", NOTE, "notes.event.note-created.v1", NOW, reason)


async def test_what_waits_and_what_is_parked(capsys: pytest.CaptureFixture[str]) -> None:
    assert await outbox(Rows([parked()]), None, as_json=False) == 0
    assert capsys.readouterr().out.splitlines() == [
        "waiting 7, the oldest for 1.3 s; parked 1",
        f"position  topic         note{' ' * 32}  type                         parked at                 reason",
        f"12        notes.events  {NOTE}  notes.event.note-created.v1  2026-01-02T03:04:05.678Z  too large\\x1b",
    ]


async def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert await outbox(Rows([parked()]), None, as_json=True) == 0
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


async def test_an_empty_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert await outbox(Rows(), None, as_json=False) == 0
    assert capsys.readouterr().out == "waiting 7, the oldest for 1.3 s; parked 0\n"


async def test_more_than_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert await outbox(Rows([parked(number) for number in range(SHOWN + 5)]), None, as_json=False) == 0
    assert capsys.readouterr().out.endswith("these are the first 100 of 105\n")


async def test_unparking(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Rows([parked(), parked(13)])
    assert await outbox(rows, NOTE.upper(), as_json=False) == 0
    assert capsys.readouterr().out == f"2 records of {NOTE} will be sent again, in order\n"
    assert await outbox(rows, NOTE, as_json=False) == 1
    assert capsys.readouterr().err == f"nothing of {NOTE} is parked\n"
    assert await outbox(rows, NOTE, as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == {"note": NOTE, "unparked": 0}
