"""What every service does with its dead letters in the same way, over HTTP and on the command line."""

import argparse
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field
from structlog.testing import capture_logs

from notes_chassis.dead_letters import DeadLetterFilter, DeadLetters, Parts, Position
from notes_chassis.dead_letters_cli import Grammar, add_arguments, run
from notes_chassis.http.body import Intake
from notes_chassis.http.dead_letter_routes import Redrive, Shape, dead_letter_routes
from notes_chassis.http.dead_letters import DeadLettersMeant, DeadLettersQuery
from notes_chassis.http.openapi import ProblemDocs
from notes_chassis.http.problems import Refusal, answer_framework, answer_refusal

CODES = ("invalid_cursor", "invalid", "unavailable", "too_large", "unsupported_media_type", "request_timeout")
STATUSES = {**dict.fromkeys(CODES, 400), "dead_letter_not_found": 404}
SAID = Grammar("apply them again", "order", str.lower, str, "order-paid", shown_type=str.upper)


class OneDeadLetter(NamedTuple):
    position: Position
    at: datetime = datetime(2026, 1, 2, tzinfo=UTC)

    @property
    def id(self) -> str:
        return str(self.position)

    @property
    def parts(self) -> Parts:
        return Parts(b"k", [], b"v")

    def as_json(self) -> dict[str, Any]:
        told = {"id": self.id, "time": "2026", "state": "open", "code": "bad", "type": "paid", "order_id": "o"}
        return {**told, "reason": "why"}


@dataclass
class Store:
    dead_letters: list[OneDeadLetter] = field(
        default_factory=lambda: [OneDeadLetter(Position("t", 0, one)) for one in range(3)]
    )
    asked: list[DeadLetterFilter] = field(default_factory=list)

    async def find(self, wanted: DeadLetterFilter, limit: int) -> list[OneDeadLetter]:
        self.asked.append(wanted)
        behind = wanted.after.position if wanted.after else Position("", 0, 0)
        found = [one for one in self.dead_letters if one.position > behind]
        return [one for one in found if wanted.ids is None or one.position in wanted.ids][:limit]

    async def whole(self, position: Position) -> OneDeadLetter | None:
        return next((one for one in self.dead_letters if one.position == position), None)

    async def drop(self, wanted: DeadLetterFilter, limit: int) -> list[str]:
        gone = await self.find(wanted, limit)
        self.dead_letters = [one for one in self.dead_letters if one not in gone]
        return [one.id for one in gone]

    def kept(self) -> DeadLetters[OneDeadLetter]:
        return DeadLetters(self.find, self.whole, self.drop)


class Orders(DeadLettersQuery):
    subject: Annotated[str | None, Field(alias="order")] = None


class Anything(BaseModel, extra="allow"):
    pass


def asking(store: Store) -> httpx.AsyncClient:
    async def redrive(these: DeadLettersMeant) -> tuple[Any, dict[str, int]]:
        return these.model_dump(), {"redriven": 1}

    problems = ProblemDocs(STATUSES, dict.fromkeys(STATUSES, ("", {})))
    shape = Shape(Orders, Anything, {}, problems, str.upper)
    again = Redrive(redrive, "Apply them again", Anything, "They are.", {}, "Which ones.")
    read: Any = lambda model, body: model.model_validate_json(body)  # noqa: E731
    app = FastAPI(exception_handlers={Refusal: answer_refusal, 405: answer_framework})
    app.include_router(dead_letter_routes(store.kept(), shape, Intake(), read, again))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


async def test_pages_follow_each_other_and_are_about_what_was_asked() -> None:
    async with asking(store := Store()) as client:
        first = (await client.get("/admin/dead-letters?limit=2&order=o")).json()
        rest = (await client.get(f"/admin/dead-letters?limit=2&order=o&cursor={first['next_cursor']}")).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == ["t:0:0", "t:0:1", "t:0:2"]
    assert rest["next_cursor"] is None
    assert {one.subject for one in store.asked} == {"o"}


async def test_a_type_is_made_whole_before_it_is_looked_for() -> None:
    async with asking(store := Store()) as client:
        assert (await client.get("/admin/dead-letters?type=paid")).status_code == 200
    assert [one.type for one in store.asked] == ["PAID"]


async def test_what_is_sent_back_is_told_and_logged() -> None:
    with capture_logs() as log:
        async with asking(Store()) as client:
            done = await client.post("/admin/dead-letters/redrive", json={"ids": ["t:0:1"], "force": True})
    assert done.json() == {"ids": ["t:0:1"], "force": True}
    (line,) = [line for line in log if line["event"] == "administrative act"]
    assert (line["result"], line["ids"]) == ({"redriven": 1}, ["t:0:1"])


async def test_what_is_dropped_or_sent_back_has_to_be_there() -> None:
    async with asking(store := Store()) as client:
        for act in ("drop", "redrive"):
            refused = await client.post(f"/admin/dead-letters/{act}", json={"ids": ["t:0:1", "t:9:9"]})
            assert (refused.status_code, refused.json()["ids"]) == (404, ["t:9:9"])
            assert (await client.get(f"/admin/dead-letters/{act}")).headers["allow"] == "POST"
        dropped = await client.post("/admin/dead-letters/drop", json=DeadLettersMeant(ids=["t:0:1"]).model_dump())
        assert dropped.json() == {"dropped": ["t:0:1"]}
        assert (await client.get("/admin/dead-letters/t:0:1")).status_code == 404
        assert (await client.get("/admin/dead-letters/t:0:2")).json()["value"] == "dg=="
    assert [one.id for one in store.dead_letters] == ["t:0:0", "t:0:2"]


async def on_command_line(store: Store, *words: str) -> int:
    async def redrive() -> int:
        return 7

    parser = argparse.ArgumentParser()
    add_arguments(parser, SAID)
    return await run(parser.parse_args(words), SAID, store.kept(), redrive)


async def test_the_command_line_does_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    store = Store()
    assert await on_command_line(store, "list", "t:0:0") == 0
    assert capsys.readouterr().out.splitlines() == [
        "id     time  state  code  type  order  reason",
        "t:0:0  2026  open   bad   PAID  o      why",
    ]
    assert await on_command_line(store, "drop") == 2
    assert await on_command_line(store, "drop", "t:0:0") == 0
    assert await on_command_line(store, "show", "t:0:0") == 1
    assert await on_command_line(store, "show", "t:0:1") == 0
    assert await on_command_line(store, "redrive", "--all") == 7
    said = capsys.readouterr()
    assert "dropped t:0:0\n" in said.out
    assert "there is no dead letter t:0:0\n" in said.err
    store.dead_letters.clear()
    assert await on_command_line(store, "list") == 0
    assert capsys.readouterr().out == "no dead letters\n"
