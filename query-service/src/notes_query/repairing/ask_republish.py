"""Ask command-service for a snapshot of a note that misses a version: it is what heals, if the event never comes."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
import structlog
from pymongo.errors import DuplicateKeyError

from notes_chassis.access.client import ClientCredentials, NoToken
from notes_query.errors import Building
from notes_query.mongo.database import Database
from notes_query.mongo.driver import driver_errors
from notes_query.projections.read_model import ASCENDING, Index, Kept
from notes_query.repairing.gaps import Gaps

log = structlog.get_logger()

PATIENCE: Final = timedelta(seconds=10)
"""How old a gap is before anybody is asked: most heal by themselves, with the next batch."""
FIRST_PAUSE: Final = timedelta(seconds=15)
LAST_PAUSE: Final = timedelta(hours=1)
NOTES: Final = 1_000
"""Notes that are looked at in one step; the next step goes on with the next ones, so that each has its turn."""
REQUESTS: Final = "republish_requests"
CLAIM: Final = timedelta(minutes=1)
KEPT: Final = (Kept(REQUESTS, (Index("expiry", (("next_at", ASCENDING),), expire_after_s=24 * 60 * 60),)),)
PAUSE: Final = timedelta(seconds=10)
"""After an answer that says nothing about when to come again, and after none."""
LONGEST: Final = timedelta(minutes=10)
"""At most so long an answer puts us off, and a note waits that was refused: the service may be well again."""
TOO_LONG: Final = 10


class Refused(Exception):
    """command-service did not take the request. `answer` names it for a metric; `pause`: ask nothing before that.

    `for_all`: it would refuse any note now. Otherwise this one alone may be what fails there.
    """

    def __init__(self, answer: str, pause: timedelta, *, for_all: bool = True) -> None:
        super().__init__(f"{answer}, again in {pause.total_seconds():g} s")
        self.answer = answer
        self.pause = pause
        self.for_all = for_all


class RepublishRequests:
    """Which notes were asked for, when, by whichever instance. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._requests = database[REQUESTS]

    async def asked_lately(self, note_ids: Collection[str], now: datetime) -> set[str]:
        """Return those that nobody may ask for now."""
        wanted = {"_id": {"$in": list(note_ids)}, "next_at": {"$gt": now}}
        with driver_errors():
            return {item["_id"] async for item in self._requests.find(wanted, {"_id": 1})}

    async def claim(self, note_id: str, now: datetime) -> int | None:
        """Take the note for oneself, if nobody asked for it lately; return how often it was asked for before."""
        wanted, update = {"_id": note_id, "next_at": {"$lte": now}}, {"$set": {"next_at": now + CLAIM}}
        with driver_errors():
            try:
                before = await self._requests.find_one_and_update(wanted, update, upsert=True)
            except DuplicateKeyError:  # it is there, and its time has not come
                return None
        return int((before or {}).get("asked", 0))

    async def again(self, note_id: str, at: datetime, asked: int) -> None:
        """Let nobody ask for the note before that time; it was asked for so often."""
        with driver_errors():
            await self._requests.update_one({"_id": note_id}, {"$set": {"next_at": at, "asked": asked}})


class Republisher:
    """The other service. `credentials`: where the token comes from, if one is asked for."""

    def __init__(
        self, client: httpx.AsyncClient, timeout_s: float, credentials: ClientCredentials | None = None
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._timeout_s = timeout_s

    async def republish(self, note_id: str) -> str:
        """Ask for a snapshot; return the answer, for a metric. Raises Refused."""
        try:
            async with asyncio.timeout(self._timeout_s):
                named = {} if self._credentials is None else await self._credentials.header()
                answer = await self._client.post("/admin/republish", json={"note_id": note_id}, headers=named)
        except NoToken as error:
            log.warning("no snapshot can be asked for", reason=str(error))
            raise Refused("no_token", PAUSE) from error
        except (httpx.HTTPError, TimeoutError) as error:
            nobody_there = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise Refused("unreachable", PAUSE, for_all=nobody_there) from error
        if answer.status_code == httpx.codes.ACCEPTED:
            return "accepted"
        if answer.status_code == httpx.codes.NOT_FOUND and "note_not_found" in answer.text:
            return "unknown"
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Refused("rate_limited", _retry_after(answer))
        if answer.status_code == httpx.codes.UNAUTHORIZED and self._credentials is not None:
            self._credentials.forget()
        raise Refused(f"status_{answer.status_code}", _retry_after(answer), for_all=not answer.is_server_error)


def _retry_after(answer: httpx.Response) -> timedelta:
    text = answer.headers.get("retry-after", "")
    if not (text.isascii() and text.isdigit() and len(text) < TOO_LONG):  # a date, or nonsense
        return PAUSE
    return min(LONGEST, max(timedelta(seconds=1), timedelta(seconds=int(text))))


@dataclass(slots=True)
class AskRepublish:
    """Any number of instances may ask; a note is asked for by one. `told` is called with every answer."""

    gaps: Gaps
    requests: RepublishRequests
    republisher: Republisher
    clock: Callable[[], datetime]
    told: Callable[[str], None] = lambda _: None
    _not_before: datetime | None = None
    _after: str = ""

    async def __call__(self) -> None:
        """Take one step. Raises StoreUnavailable."""
        if self._not_before is not None and self.clock() < self._not_before:
            return
        try:
            gaps, following = await self.gaps.page(self._after, NOTES)
        except Building:
            return
        now = self.clock()
        waiting = [gap for gap in gaps if gap.missing is not None or gap.stopped]
        old = [gap.note_id for gap in waiting if gap.since <= now - PATIENCE]
        lately = await self.requests.asked_lately(old, now) if old else set()
        for note_id in old:
            if note_id not in lately and not await self._ask(note_id):
                return  # the rest once it may be asked again
        self._after = following

    async def _ask(self, note_id: str) -> bool:
        """Ask for one; return whether others may be asked for now."""
        now = self.clock()
        asked = await self.requests.claim(note_id, now)
        if asked is None:
            return True
        try:
            answer = await self.republisher.republish(note_id)
        except Refused as refused:
            self._not_before = now + refused.pause
            if refused.for_all:
                await self.requests.again(note_id, self._not_before, asked)
            else:
                pause = max(refused.pause, min(LONGEST, _growing(asked)))
                await self.requests.again(note_id, now + pause, asked + 1)
                self._after = note_id  # the next step goes on behind it
            self.told(refused.answer)
            log.warning("a snapshot was refused", note_id=note_id, reason=str(refused))
            return False
        await self.requests.again(note_id, now + _growing(asked), asked + 1)
        self.told(answer)
        log.info("asked for a snapshot", note_id=note_id, answer=answer)
        return True


def _growing(asked: int) -> timedelta:
    """Return how long a note waits that was asked for so often before."""
    times: int = 2 ** min(asked, 10)
    return min(LAST_PAUSE, FIRST_PAUSE * times)
