"""Command-service is asked for snapshots of notes with gaps, not too early and not too often."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from query_support.fixtures import Samples
from query_support.memory_republish_requests import MemoryRequests

from notes_chassis.access.client import NoToken
from notes_query.errors import Building
from notes_query.repairing import ask_republish as module
from notes_query.repairing.ask_republish import LONGEST, AskRepublish, Refused, Republisher
from notes_query.repairing.gaps import Gap

SECOND = timedelta(seconds=1)


class Asking:
    """The asker, with gaps and answers that the tests set."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self.gaps: list[Gap] = []
        self.refusal: Exception | None = None
        self.refusals: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.told: list[str] = []
        self.requests = MemoryRequests()
        self.building = False
        self.step = AskRepublish(self, self.requests, self, lambda: self.now, self.told.append)

    async def find(self, limit: int, note_id: str | None = None) -> list[Gap]:
        raise AssertionError((limit, note_id))

    async def page(self, after: str, limit: int) -> tuple[list[Gap], str]:
        if self.building:
            raise Building("notes")
        found = sorted((gap for gap in self.gaps if gap.note_id > after), key=lambda gap: gap.note_id)[:limit]
        return found, found[-1].note_id if len(found) == limit else ""

    async def republish(self, note_id: str) -> str:
        self.asked.append(note_id)
        if (refusal := self.refusals.get(note_id, self.refusal)) is not None:
            raise refusal
        return "accepted"

    async def later(self, seconds: float) -> int:
        """Give how many were asked for in a step, so much later."""
        self.now += seconds * SECOND
        before = len(self.asked)
        await self.step()
        return len(self.asked) - before


@pytest.fixture
def asking(samples: Samples) -> Asking:
    return Asking(samples.start)


def gap(note: str, since: datetime, missing: int | None = 2) -> Gap:
    return Gap(note, 1, missing, 1, None, 0, since, stopped=False, read_model="notes_v2_1")


async def test_a_gap_is_asked_for_when_it_is_older_than_ten_seconds_and_then_ever_less_often(
    samples: Samples, asking: Asking
):
    asking.gaps = [gap(samples.note, samples.start)]

    assert [await asking.later(9), await asking.later(1), await asking.later(14), await asking.later(1)] == [0, 1, 0, 1]
    assert [await asking.later(29), await asking.later(1)] == [0, 1]
    assert asking.told == ["accepted"] * 3


async def test_a_fork_alone_is_nothing_that_a_snapshot_heals(samples: Samples, asking: Asking):
    asking.gaps = [gap(samples.note, samples.start, missing=None)]

    assert await asking.later(60) == 0


async def test_of_two_instances_one_asks(samples: Samples, asking: Asking):
    other = Asking(samples.start)
    other.requests = asking.requests
    other.step = AskRepublish(other, asking.requests, other, lambda: other.now)
    asking.gaps = other.gaps = [gap(samples.note, samples.start)]

    assert [await asking.later(10), await other.later(10)] == [1, 0]


async def test_a_refusal_ends_the_step_and_is_obeyed(samples: Samples, asking: Asking):
    asking.gaps = [gap(samples.note, samples.start), gap(samples.other, samples.start)]
    asking.refusal = Refused("rate_limited", 7 * SECOND)

    assert await asking.later(10) == 1
    assert asking.told == ["rate_limited"]
    asking.refusal = None
    assert [await asking.later(6), await asking.later(1)] == [0, 2]


@pytest.mark.parametrize("answer", ["status_500", "status_503", "unreachable"])
async def test_a_note_that_cannot_be_republished_is_asked_for_ever_less_often_and_no_other_waits_for_it(
    samples: Any, asking: Asking, answer: str
):
    refused, *others = notes = sorted(samples.id(name) for name in "abc")
    asking.gaps = [gap(note, samples.start) for note in notes]
    asking.refusals[refused] = Refused(answer, 10 * SECOND, for_all=False)

    assert [await asking.later(10), await asking.later(9), await asking.later(1)] == [1, 0, 2]
    for _ in range(360):
        await asking.later(10)

    asked = {note: asking.asked.count(note) for note in notes}
    assert asked.keys() == set(notes)
    assert all(asked[note] >= 7 for note in others)
    assert 7 <= asked[refused] <= 15
    del asking.refusals[refused]
    await asking.later(LONGEST.total_seconds())
    await asking.later(10)
    assert asking.told[-1] == "accepted"
    assert refused in asking.asked[-3:]


async def test_what_all_notes_are_refused_for_counts_for_none_of_them(samples: Any, asking: Asking):
    asking.gaps = [gap(samples.note, samples.start)]
    asking.refusal = Refused("no_token", 10 * SECOND)
    for _ in range(20):
        assert await asking.later(10) == 1
    asking.refusal = None

    assert [await asking.later(10), await asking.later(14), await asking.later(1)] == [1, 0, 1]


async def test_nobody_is_asked_while_the_notes_are_being_built(asking: Asking):
    asking.building = True

    assert await asking.later(60) == 0


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(202), "accepted"),
        (httpx.Response(404, json={"code": "note_not_found"}), "unknown"),
        (httpx.Response(429, headers={"retry-after": "3"}), ("rate_limited", 3, True)),
        (httpx.Response(429, headers={"retry-after": "86400"}), ("rate_limited", 600, True)),
        (httpx.Response(429, headers={"retry-after": "Fri, 1 Jan 2027"}), ("rate_limited", 10, True)),
        (httpx.Response(401), ("status_401", 10, True)),
        (httpx.Response(403), ("status_403", 10, True)),
        (httpx.Response(404), ("status_404", 10, True)),  # not this service's answer
        (httpx.ConnectError("refused"), ("unreachable", 10, True)),
        (httpx.ConnectTimeout("away"), ("unreachable", 10, True)),
        (httpx.ReadTimeout("its row is locked"), ("unreachable", 10, False)),
        (httpx.Response(500), ("status_500", 10, False)),
        (httpx.Response(503, headers={"retry-after": "2"}), ("status_503", 2, False)),
    ],
)
async def test_the_answers_of_the_other_side(samples: Samples, answer: Any, says: Any):
    def respond(request: httpx.Request) -> httpx.Response:
        assert (request.url.path, request.read()) == ("/admin/republish", b'{"note_id":"%b"}' % samples.note.encode())
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond), base_url="http://command") as client:
        republisher = Republisher(client, 1.0)
        if isinstance(says, str):
            assert await republisher.republish(samples.note) == says
        else:
            with pytest.raises(Refused) as refused:
                await republisher.republish(samples.note)
            refusal = refused.value
            assert (refusal.answer, refusal.pause.total_seconds(), refusal.for_all) == says


async def test_more_gaps_than_one_step_looks_at_have_their_turn_and_forks_take_no_place(
    samples: Samples, asking: Asking, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "NOTES", 10)
    notes = sorted(samples.id(f"{number}") for number in range(25))
    forks = [gap(note, asking.now, missing=None) for note in notes[:21]]
    stopped = replace(gap(notes[21], asking.now, missing=None), forks=1, stopped=True)
    asking.gaps = [*forks, stopped, *(gap(note, asking.now) for note in notes[22:])]

    asked = [await asking.later(11) for _ in range(3)]

    assert asked == [0, 0, 4]
    assert sorted(asking.asked) == notes[21:]


class Credentials:
    """Gives a new token after each that was refused."""

    def __init__(self) -> None:
        self.refused = 0
        self.away = False

    async def header(self) -> dict[str, str]:
        if self.away:
            raise NoToken("away")
        return {"Authorization": f"Bearer {self.refused}"}

    def forget(self) -> None:
        self.refused += 1


async def test_it_asks_with_a_token_of_its_own_and_takes_another_one_where_that_is_refused(samples: Samples):
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202 if request.headers["authorization"] == "Bearer 1" else 401)

    credentials: Any = Credentials()
    async with httpx.AsyncClient(transport=httpx.MockTransport(respond), base_url="http://command") as client:
        republisher = Republisher(client, 1.0, credentials)
        with pytest.raises(Refused, match="status_401"):
            await republisher.republish(samples.note)
        assert await republisher.republish(samples.note) == "accepted"
        credentials.away = True
        with pytest.raises(Refused, match="no_token"):
            await republisher.republish(samples.note)
