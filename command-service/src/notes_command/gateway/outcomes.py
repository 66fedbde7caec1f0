"""`GET /commands/{id}` answers with the outcome of a command, and clients may wait for it.

A waiting client is registered first; then the inbox is read; then commits wake the client. One query serves all waiting
clients.
"""

import asyncio
import re
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import Field, WithJsonSchema
from pydantic_core import to_json

from notes_chassis.http.body import Places
from notes_chassis.http.openapi import shown
from notes_chassis.http.problems import invalid
from notes_chassis.http.queries import DECIMAL, QueryModel, query_of
from notes_chassis.process import Backoff
from notes_command.errors import StoreError, Unavailable
from notes_command.gateway.openapi import DASHED, UUID, problems, refusal
from notes_command.pipeline.decide import Outcome
from notes_command.pipeline.store import PostgresStore
from notes_command.signals import Signal
from notes_contracts import COMMANDS, Code, command_name, outcome_type, parse_id
from notes_contracts import Outcome as OutcomeSchema
from notes_contracts.examples import COMMAND_ID, example_data

log = structlog.get_logger()

WAIT_CAP_S = 30.0
# A match begins at each quote, even if the text ends without another. With a pattern that could fail there, every quote
# was tried with all that follows: 32 KiB of `\"` held the process for 14 s.
_quoted = re.compile(r'"((?:[^"\\]|\\.?)*)(?:"|$)', re.DOTALL).sub
_wait = re.compile(r"(?:^|,)\s*wait\s*=\s*([0-9]+)\s*(?:[,;]|$)", re.IGNORECASE).search
Futures = dict[str, set["asyncio.Future[Outcome | None]"]]
POLL_S: Final = 5.0
"""Seconds between two polls of the inbox if no commit is announced. Without waiting clients, none is sent."""
READ_S: Final = 1.0
"""Seconds that a read of the inbox may take, even if the client waits for less. It usually takes milliseconds."""
_NAMES = frozenset(map(command_name, COMMANDS))

CommandId = Annotated[
    str,
    WithJsonSchema(UUID),
    Path(description=f"The command. {DASHED}", openapi_examples={"command": {"value": COMMAND_ID}}),
]
"""Validated in the route: the text may also be the name of a command, to which a client can only POST."""


class OutcomeQuery(QueryModel):
    """The parameters of the route."""

    wait: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="Seconds to wait for the outcome, if there is none yet; capped at 30.",
            examples=[0.5],
        ),
        DECIMAL,
    ] = 0.0


def preferred_wait(header: str) -> float | None:
    """Return the seconds of `Prefer: wait=N` (RFC 7240), capped; None without it. Other preferences are ignored."""
    # A quoted value that is not a number is replaced: it may contain text that looks like a preference.
    found = _wait(_quoted(lambda quoted: quoted[1] if quoted[1].isdecimal() else "-", header))
    return None if found is None else min(float(found[1]), WAIT_CAP_S)


@dataclass(slots=True)
class OutcomeWaiters:
    """The clients that wait for outcomes, a future each.

    After each announced commit `answer` serves all of them with one query. `decided` serves those whose command was
    decided in this process, without a query.
    """

    reader: PostgresStore
    signal: Signal = field(default_factory=Signal)
    """Set after each announced commit."""
    _waiting: Futures = field(default_factory=dict)
    _closed: bool = False

    def __len__(self) -> int:
        """Return how many clients wait."""
        return sum(map(len, self._waiting.values()))

    async def outcome(self, command_id: str, at_most_s: float) -> Outcome | None:
        """Return the outcome, or None if there is none within that time.

        Raises StoreError; Unavailable if the inbox could not be read within `at_most_s` or READ_S.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + at_most_s
        future: asyncio.Future[Outcome | None] = loop.create_future()
        self._waiting.setdefault(command_id, set()).add(future)
        try:
            try:
                async with asyncio.timeout(max(at_most_s, READ_S)):
                    known = (await self.reader.outcomes([command_id])).get(command_id)
            except TimeoutError:
                if future.done():
                    return future.result()
                raise Unavailable("PostgreSQL has not answered in time") from None
            if known is not None or at_most_s <= 0 or self._closed:
                return known
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    return await future
            return None
        finally:
            futures = self._waiting[command_id]
            futures.discard(future)
            if not futures:
                del self._waiting[command_id]

    def close(self) -> None:
        """Answer all waiting clients, and let no other client wait: the service is stopping."""
        self._closed = True
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)

    async def run(self) -> None:
        """Answer until cancelled."""
        backoff = Backoff()
        while True:
            await self.signal.wait(POLL_S)
            try:
                await self.answer()
            except StoreError as error:
                log.warning("waiting clients were not answered, looking again", error=str(error))
                await asyncio.sleep(backoff.next())
                self.signal.set()  # the announced commit has not been looked up yet
            else:
                backoff.reset()

    async def answer(self) -> None:
        """Read the outcomes that clients wait for, and wake the clients of those that exist. Raises StoreError."""
        if not self._waiting:
            return
        self.decided((await self.reader.outcomes(list(self._waiting))).values())

    def decided(self, outcomes: Iterable[Outcome]) -> None:
        """Wake the clients that wait for these outcomes, which are stored."""
        if not self._waiting:
            return
        for outcome in outcomes:
            for future in self._waiting.get(outcome.command_id, ()):
                if not future.done():
                    future.set_result(outcome)


def add_outcome_route(router: APIRouter, waiters: OutcomeWaiters, places: Places) -> None:
    """Add `GET /commands/{command_id}`."""

    @router.get(
        "/commands/{command_id}",
        summary="What came of a command",
        response_model=OutcomeSchema,
        response_description="The outcome.",
        responses=shown(200, example_data(outcome_type("accepted")))
        | problems(Code.COMMAND_NOT_FOUND, Code.INVALID, Code.UNAVAILABLE),
    )
    async def get_outcome(command_id: CommandId, query: Annotated[OutcomeQuery, Query()], request: Request) -> Response:
        """Return the outcome of a command; 404 while it is unknown, which never means that it was not executed."""
        known = parse_id(command_id)
        if known is None:
            if command_id in _NAMES:
                raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
            raise invalid([("command_id", "not a UUID")])
        query_of(request, OutcomeQuery)  # refuses a repeated parameter, of which FastAPI takes one
        with places.one() if query.wait > 0 else nullcontext():
            outcome = await waiters.outcome(known, min(query.wait, WAIT_CAP_S))
        if outcome is None:
            raise refusal(Code.COMMAND_NOT_FOUND, f"no outcome of command {known} is known")
        return Response(to_json(outcome.data()), 200, {"Cache-Control": "no-cache"}, "application/json")
