"""How many active notes have which tag."""

from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from pydantic_core import to_json

from notes_contracts import Code
from notes_query.http.query_route import LagSeconds, QueryModel, QueryRoute, answers, lag_header
from notes_query.mongo.database import Database
from notes_query.projecting.serving import Serving
from notes_query.projections.note import TAG_SEPARATOR
from notes_query.reads.served import Served
from notes_query.reads.share import Share

_EXAMPLE: Final[dict[str, Any]] = {"items": [{"tag": "kitchen", "count": 12}, {"tag": "garden", "count": 3}]}
_COUNTS: Final[tuple[dict[str, Any], ...]] = (
    # With `tag_line` in it, the index holds all that is asked for: no document is read.
    {"$match": {"status": "active", "tag_line": {"$gt": ""}}},
    {"$group": {"_id": "$tag_line", "notes": {"$sum": 1}}},
    {"$project": {"tag": {"$split": ["$_id", TAG_SEPARATOR]}, "notes": 1}},
    {"$unwind": "$tag"},
    {"$group": {"_id": "$tag", "notes": {"$sum": "$notes"}}},
    {"$sort": {"notes": -1, "_id": 1}},
)


class TagsQuery(QueryModel):
    """Query of `GET /tags`: there is nothing to choose."""


class TagCountView(BaseModel):
    """A tag, and how many active notes have it."""

    tag: str
    count: int


class TagList(BaseModel):
    """All tags of active notes, the most frequent first."""

    items: list[TagCountView]


class TagCount(NamedTuple):
    """A tag, and how many active notes have it."""

    tag: str
    notes: int


class CountTags:
    """`GET /tags`; it is read in `share`."""

    def __init__(self, database: Database, serving: Serving, share: Share) -> None:
        self._served = Served(database.for_queries, serving)
        self._share = share

    async def __call__(self) -> list[TagCount]:
        """Return the tags of active notes, the most frequent first, then by name.

        Raises Busy, StoreUnavailable, Building.
        """
        return await self._share.run(
            lambda: [
                TagCount(item["_id"], item["notes"])
                for item in self._served["notes"].delegate.aggregate(tags_pipeline())
            ]
        )


def tags_pipeline() -> list[dict[str, Any]]:
    """Return the aggregation of the tag counts."""
    return [dict(stage) for stage in _COUNTS]


def tags_route(count_tags: CountTags, lag: LagSeconds) -> APIRouter:
    """Return the route; `lag` is that of the projector of notes."""
    router = APIRouter(tags=["lists"], route_class=QueryRoute)

    @router.get(
        "/tags",
        operation_id="count_tags",
        summary="The tags of active notes",
        response_model=TagList,
        responses=answers(
            _EXAMPLE,
            ("Projection-Lag",),
            (Code.INVALID, Code.UNAVAILABLE, Code.BUILDING, Code.TOO_MANY_REQUESTS),
        ),
    )
    async def counts(query: Annotated[TagsQuery, Query()]) -> Response:  # noqa: ARG001 - nothing can be chosen
        """Return every tag of active notes, the most frequent first."""
        body = {"items": [{"tag": tag, "count": notes} for tag, notes in await count_tags()]}
        return Response(to_json(body), 200, lag_header(lag), "application/json")

    return router
