"""A page of notes, newest created first."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from notes_chassis.http.problems import invalid
from notes_contracts import Code
from notes_contracts.examples import NOTE_ID
from notes_contracts.fields import Author, Tag
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp
from notes_query.http.query_route import CURSOR, LagSeconds, Limit, QueryRoute, answers, digested, lag_header, shown_as
from notes_query.projections.note import author_key
from notes_query.reads import cursor, get_note
from notes_query.reads.after import AfterCommand, AfterQuery, DashedId
from notes_query.reads.cursor import PageEnd
from notes_query.reads.served import View
from notes_query.reads.share import Shares

IDS_MAX: Final = 100
STATUSES: Final = MappingProxyType({"active": ("active",), "archived": ("archived",), "all": ("active", "archived")})
PAGE_PROBLEMS: Final = (Code.INVALID_CURSOR, Code.INVALID, Code.UNAVAILABLE, Code.BUILDING, Code.TOO_MANY_REQUESTS)
_SUMMARY: Final = dict.fromkeys(("title", "tags", "status", "version", "created_at", "updated_at"), 1)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)

_NEXT_CURSOR: Final = "AkwVInKf6AAAAZt8qY8uD4-tW9nLRp-hZXCGdyiVDg"
"""Of the list with the filters that the documentation shows."""
SUMMARY_EXAMPLE: Final[dict[str, Any]] = {
    name: get_note.EXAMPLE[name] for name in ("id", "title", "tags", "status", "version", "updated_at")
}
_EXAMPLE: Final[dict[str, Any]] = {"items": [SUMMARY_EXAMPLE], "next_cursor": _NEXT_CURSOR}


TagFilter = Annotated[Tag | None, Field(description="Only notes with this tag.", examples=["kitchen"])]
AuthorFilter = Annotated[
    Author | None, Field(description="Only notes of this author; case does not matter.", examples=["someone"])
]
Status = Literal["active", "archived", "all"]


class ListQuery(AfterQuery):
    """Query of `GET /notes`."""

    many = MappingProxyType({"id": IDS_MAX})

    id: Annotated[
        tuple[DashedId, ...] | None,
        Field(
            description=f"Instead of a page, these notes, at most {IDS_MAX}, in this order, each once. One that is not "
            "known, or deleted, is left out. Without `status` the archived are among them; other filters hold.",
            examples=[[NOTE_ID]],
        ),
    ] = None
    limit: Limit = 50
    cursor: Annotated[str | None, Field(description=CURSOR, examples=[_NEXT_CURSOR])] = None
    tag: TagFilter = None
    author: AuthorFilter = None
    status: Annotated[Status, Field(description="Only notes of this status.", examples=["active"])] = "active"

    @property
    def chosen(self) -> "Chosen":
        """Return the filters. Notes that are named are meant whether archived or not."""
        status = self.status if self.id is None or "status" in self.model_fields_set else "all"
        return Chosen(STATUSES[status], self.tag, self.author)


class NoteSummary(BaseModel):
    """A note in a list."""

    id: Id
    title: str
    tags: list[str]
    status: Literal["active", "archived"]
    version: int
    updated_at: Timestamp


class NotePage(BaseModel):
    """A page of notes; `next_cursor` is null on the last one."""

    items: list[NoteSummary]
    next_cursor: str | None


class Chosen(NamedTuple):
    """The filters of a list: one of these statuses, and the tag and the author unless they are None."""

    statuses: tuple[str, ...]
    tag: str | None = None
    author: str | None = None


class Page(NamedTuple):
    """Notes, and the cursor of the next page, None behind the last one."""

    notes: Sequence[View]
    next_cursor: str | None


class ListNotes:
    """`GET /notes`, read by the threads of a share."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares

    async def __call__(self, query: ListQuery, *, waited: bool = False) -> Page:
        """Return the notes that are named, or a page. `waited`: the reader has waited for a command.

        A note visible when the first page was read is neither skipped nor repeated: the order is by creation, which
        never changes. Raises Refusal if notes are named and a page is asked for; InvalidCursor, also for a
        cursor of other filters; Busy, StoreUnavailable, Building.
        """
        if query.id is not None:
            paging = query.model_fields_set & {"limit", "cursor"}
            if paging:
                why = "does not go with `id`: all are answered at once"
                raise invalid((name, why) for name in sorted(paging))
            return Page(await self.some(query.id, query.chosen, waited=waited), None)
        scope = cursor.scope_of("notes", query.status, query.tag, query.author)
        after = None if query.cursor is None else cursor.decode(query.cursor, scope)
        limit = query.limit
        notes = await self.page(query.chosen, after, limit + 1, waited=waited)
        if len(notes) <= limit:
            return Page(notes, None)
        last = notes[limit - 1]
        return Page(notes[:limit], cursor.encode(PageEnd(last["created_at"], last["_id"]), scope))

    async def page(self, chosen: Chosen, after: PageEnd | None, limit: int, *, waited: bool = False) -> list[View]:
        """Return at most `limit` summaries, newest created first, of the notes behind `after`."""
        return await self._shares.run(
            lambda served: list(page_query(served["notes"].delegate, chosen, after, limit)), waited=waited
        )

    async def some(self, ids: Sequence[str], chosen: Chosen, *, waited: bool = False) -> list[View]:
        """Return the summaries of those of these notes that are chosen, in this order, each once."""
        query = {"_id": {"$in": list(ids)}, **condition(chosen)}
        found = await self._shares.run(
            lambda served: {note["_id"]: note for note in served["notes"].delegate.find(query, _SUMMARY)}, waited=waited
        )
        return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]


def condition(chosen: Chosen) -> dict[str, Any]:
    """Return the condition of MongoDB for these filters."""
    statuses = chosen.statuses
    query: dict[str, Any] = {"status": statuses[0] if len(statuses) == 1 else {"$in": list(statuses)}}
    named = {"tags": chosen.tag, "author_key": author_key(chosen.author)}
    return query | {name: value for name, value in named.items() if value is not None}


def page_query(notes: Any, chosen: Chosen, after: PageEnd | None, limit: int) -> Any:
    """Return MongoDB's cursor of a page. An index has the order, for any filters and any number of statuses."""
    query = condition(chosen)
    # A note whose creation is not known has no time, so it is not in the order.
    query["created_at"] = {"$lte": _LATEST}
    if after is not None:
        # The first condition bounds the scan of the index, the second decides among notes created at the same time.
        query["created_at"] = {"$lte": after.created_at}
        query["$or"] = [
            {"created_at": {"$lt": after.created_at}},
            {"created_at": after.created_at, "_id": {"$lt": after.note_id}},
        ]
    return notes.find(query, _SUMMARY, sort=[("created_at", -1), ("_id", -1)], limit=limit, batch_size=limit)


def list_route(list_notes: ListNotes, lag: LagSeconds, after: AfterCommand) -> APIRouter:
    """Return the route; `lag` is that of the projector of notes."""
    router = APIRouter(tags=["lists"], route_class=QueryRoute)

    @router.get(
        "/notes",
        operation_id="list_notes",
        summary="Notes, newest first",
        response_model=NotePage,
        responses=answers(_EXAMPLE, ("ETag", "Cache-Control", "Consistency", "Projection-Lag"), PAGE_PROBLEMS),
    )
    async def page(query: Annotated[ListQuery, Query()], request: Request) -> Response:
        """Return notes, newest created first. Filters combine. With `id`, return the notes with these ids instead.

        A note that was visible when the first page was read is neither skipped nor repeated on later ones.
        """
        waited = await after(query, "notes")
        notes, following = await list_notes(query, waited=waited.reached is not None)
        body = {"items": [shown_as(NoteSummary, note) for note in notes], "next_cursor": following}
        return digested(request, body, waited.headers | lag_header(lag))

    return router
