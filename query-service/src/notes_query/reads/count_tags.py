"""How many active notes have which tag."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from notes_contracts import Code
from notes_query.http.query_route import LagSeconds, QueryRoute, answers, digested, lag_header
from notes_query.projections.note import TAG_SEPARATOR
from notes_query.reads.after import AfterCommand, AfterQuery
from notes_query.reads.share import Shares

TAGS_MAX: Final = 1_000
"""Tags of an answer: senders choose them, and so how many there are."""

_EXAMPLE: Final[dict[str, Any]] = {"items": [{"tag": "kitchen", "count": 12}, {"tag": "garden", "count": 3}]}
COUNTS: Final[list[dict[str, Any]]] = [
    # With `tag_line` in it, the index holds all that is asked for: no document is read.
    {"$match": {"status": "active", "tag_line": {"$gt": ""}}},
    {"$group": {"_id": "$tag_line", "notes": {"$sum": 1}}},
    {"$project": {"tag": {"$split": ["$_id", TAG_SEPARATOR]}, "notes": 1}},
    {"$unwind": "$tag"},
    {"$group": {"_id": "$tag", "notes": {"$sum": "$notes"}}},
    {"$sort": {"notes": -1, "_id": 1}},
    {"$limit": TAGS_MAX},
    {"$project": {"_id": 0, "tag": "$_id", "count": "$notes"}},
]


class TagCountView(BaseModel):
    """A tag, and how many active notes have it."""

    tag: str
    count: int


class TagList(BaseModel):
    """The tags of active notes, the most frequent first; of more than 1,000 these."""

    items: list[TagCountView]


class CountTags:
    """`GET /tags`; it is read in a share."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares

    async def __call__(self, *, waited: bool = False) -> list[dict[str, Any]]:
        """Return what TagCountView describes, the most frequent tags first, then by name; TAGS_MAX at most.

        `waited`: the reader has waited for a command. Raises Busy, StoreUnavailable, Building.
        """
        return await self._shares.run(lambda served: list(served["notes"].delegate.aggregate(COUNTS)), waited=waited)


def tags_route(count_tags: CountTags, lag: LagSeconds, after: AfterCommand) -> APIRouter:
    """Return the route; `lag` is that of the projector of notes."""
    router = APIRouter(tags=["lists"], route_class=QueryRoute)

    @router.get(
        "/tags",
        operation_id="count_tags",
        summary="The tags of active notes",
        response_model=TagList,
        responses=answers(
            _EXAMPLE,
            ("ETag", "Cache-Control", "Consistency", "Projection-Lag"),
            (Code.INVALID, Code.UNAVAILABLE, Code.BUILDING, Code.TOO_MANY_REQUESTS),
        ),
    )
    async def counts(query: Annotated[AfterQuery, Query()], request: Request) -> Response:
        """Return the tags of active notes, the most frequent first; of more than 1,000 these."""
        waited = await after(query, "notes")
        body = {"items": await count_tags(waited=waited.reached is not None)}
        return digested(request, body, waited.headers | lag_header(lag))

    return router
