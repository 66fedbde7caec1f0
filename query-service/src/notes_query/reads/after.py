"""Reading one's own writes: a query waits until what a command did is in what it reads."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from notes_chassis.http.queries import QueryModel
from notes_contracts import parse_id
from notes_contracts.examples import COMMAND_ID
from notes_query.http.query_route import DEFAULT_WAIT_S, MAX_WAIT_S, UUID_SCHEMA, Wait
from notes_query.mongo.database import Database
from notes_query.mongo.driver import LEVEL, by_id, last_entries
from notes_query.projecting.waiters import Waiters, level_of
from notes_query.projections.read_model import Serving
from notes_query.reads.served import Collecting, Served

AFTER_MODELS: Final = ("notes", "search", "history")
"""The read models that queries read."""
_OF_ENTRIES: Final = frozenset({"history"})
"""The read models with a document for each version of a note."""

Document = Mapping[str, Any]


def _dashed_id(text: str) -> str:
    parsed = parse_id(text)
    if parsed is None:
        raise PydanticCustomError("uuid", "is not a UUID with dashes")
    return parsed


DashedId = Annotated[str, AfterValidator(_dashed_id), WithJsonSchema(dict(UUID_SCHEMA))]
"""An id in a field of a query, in lower case."""


class AfterQuery(QueryModel):
    """The fields that every query of notes has: it may wait for a command."""

    after: Annotated[
        DashedId | None,
        Field(
            description="A command id: wait until what that command did is in what is read here. One that was not "
            "accepted changed nothing, and one that is not known yet is waited for.",
            examples=[COMMAND_ID],
        ),
    ] = None
    wait: Wait = DEFAULT_WAIT_S


class Waited(NamedTuple):
    """The result of a wait.

    `reached`: whether what the command did is in what the query reads; None if no command is named. `left_s`: the
    seconds that are left of `wait`.
    """

    reached: bool | None
    left_s: float

    @property
    def headers(self) -> dict[str, str]:
        """Return the header `Consistency` of a query that reads many notes."""
        consistency = consistency_of(self.reached)
        return {} if consistency is None else {"Consistency": consistency}


def consistency_of(reached: bool | None, *, parked: bool = False) -> str | None:  # noqa: FBT001 - as Waited has it
    """Return the value of the header `Consistency`, None for no header. `parked`: a version of the note is missing."""
    if parked:
        return "parked"
    if reached is None:
        return None
    return "current" if reached else "stale"


class Stored:
    """Documents of one kind that readers wait for. Readers that ask in the same moment are answered by one query."""

    def __init__(
        self, waiters: Waiters, many: Callable[[Collection[str]], Awaitable[Mapping[str, Document]]], timeout_s: float
    ) -> None:
        self._waiters = waiters
        self._asked = Collecting(many, timeout_s)

    async def once(self, key: str, level: int, enough: Callable[[Document], bool], wait_s: float) -> Document | None:
        """Return what is stored under a key once that is enough, else what is there after `wait_s` seconds.

        The reader is woken when the key reaches `level`.
        Raises Refusal if too many wait already; StoreUnavailable, Building.
        """
        return await self._waiters.until(key, level, self._asked.ask, enough, wait_s)


class AfterCommand:
    """The wait of a query that names a command. `documents`: at least version and status, by read model."""

    def __init__(self, outcomes: Stored, documents: Mapping[str, Stored]) -> None:
        self._outcomes = outcomes
        self._documents = documents

    async def __call__(self, query: AfterQuery, *read_models: str) -> Waited:
        """Wait until what the command did is in all of these read models, at most `wait` seconds (10 at most).

        Raises Refusal if too many wait already; StoreUnavailable, Building.
        """
        wait_s = min(query.wait, MAX_WAIT_S)
        if query.after is None:
            return Waited(None, wait_s)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        reached = await self._reached(query.after, read_models, deadline)
        return Waited(reached, max(deadline - loop.time(), 0.0))

    async def _reached(self, command_id: str, read_models: Collection[str], deadline: float) -> bool:
        loop = asyncio.get_running_loop()
        outcome = await self._outcomes.once(command_id, 1, bool, deadline - loop.time())
        if outcome is None:
            return False
        note_id, version = outcome["note_id"], outcome["version"]
        if outcome["status"] != "accepted" or note_id is None or version is None:
            return True
        for name in read_models:
            reaches = partial(_reaches, version)
            found = await self._documents[name].once(note_id, version, reaches, deadline - loop.time())
            if found is None or not reaches(found):
                return False
        return True


def _reaches(level: int, document: Document) -> bool:
    return level_of(document) >= level


def after_command(
    database: Database, serving: Serving, outcomes: Stored, waiters: Mapping[str, Waiters]
) -> AfterCommand:
    """Return an AfterCommand that reads what is served. `waiters`: by read model."""
    served = Served(database, serving)

    def levels(name: str) -> Stored:
        async def many(keys: Collection[str]) -> Mapping[str, Document]:
            documents = served[name]
            return await (last_entries(documents, keys) if name in _OF_ENTRIES else by_id(documents, keys, LEVEL))

        return Stored(waiters[name], many, database.timeout_s)

    return AfterCommand(outcomes, {name: levels(name) for name in AFTER_MODELS})
