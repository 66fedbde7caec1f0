"""`GET /notes`, `GET /notes/search` and `GET /tags`."""

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from notes_contracts import Code
from notes_query.http import examples
from notes_query.reads.count_tags import TagReader
from notes_query.reads.lag_header import LagSeconds, lag_header
from notes_query.reads.list_notes import ListNotes
from notes_query.reads.parameters import ListQuery, Query, SearchQuery, query_of
from notes_query.reads.routing import add_get
from notes_query.reads.search_notes import SearchNotes
from notes_query.reads.views import NotePage, SearchPage, TagList, note_summary


def list_routes(
    list_notes: ListNotes, search_notes: SearchNotes, tags: TagReader, core_lag: LagSeconds, side_lag: LagSeconds
) -> APIRouter:
    """Return the routes; the lags are those of the two lanes."""
    router = APIRouter(tags=["lists"])

    async def page(request: Request) -> Response:
        """Return notes, newest created first. Filters combine.

        A note that was visible when the first page was read is neither skipped nor repeated on later ones.
        """
        query = query_of(request, ListQuery)
        notes, following = await list_notes(query.limit, query.cursor, query.status, query.tag, query.author)
        body = {"items": [note_summary(note) for note in notes], "next_cursor": following}
        return Response(to_json(body), 200, lag_header(core_lag), "application/json")

    async def search(request: Request) -> Response:
        """Return the notes with any of the words in title, tags or body, the best first; those archived, too.

        `snippet` is plain text around the first of the words: escape it before it becomes HTML.
        """
        query = query_of(request, SearchQuery)
        notes, following = await search_notes(query.q, query.limit, query.cursor)
        items = [note_summary(note) | {"snippet": snippet} for note, snippet in notes]
        body = {"items": items, "next_cursor": following}
        return Response(to_json(body), 200, lag_header(side_lag), "application/json")

    async def counts(request: Request) -> Response:
        """Return every tag of active notes, the most frequent first."""
        query_of(request, Query)
        body = {"items": [{"tag": tag, "count": notes} for tag, notes in await tags.tags()]}
        return Response(to_json(body), 200, lag_header(core_lag), "application/json")

    add_get(
        router,
        "/notes",
        page,
        operation_id="list_notes",
        summary="Notes, newest first",
        query=ListQuery,
        answer=NotePage,
        example=examples.PAGE,
        headers=("Projection-Lag",),
        problems=(Code.INVALID_CURSOR, Code.INVALID, Code.UNAVAILABLE, Code.BUILDING, Code.TOO_MANY_REQUESTS),
    )
    add_get(
        router,
        "/notes/search",
        search,
        operation_id="search_notes",
        summary="Notes with these words, best first",
        query=SearchQuery,
        answer=SearchPage,
        example=examples.FOUND,
        headers=("Projection-Lag",),
        problems=(Code.INVALID_CURSOR, Code.INVALID, Code.UNAVAILABLE, Code.BUILDING, Code.TOO_MANY_REQUESTS),
    )
    add_get(
        router,
        "/tags",
        counts,
        operation_id="count_tags",
        summary="The tags of active notes",
        query=Query,
        answer=TagList,
        example=examples.TAGS,
        headers=("Projection-Lag",),
        problems=(Code.INVALID, Code.UNAVAILABLE, Code.BUILDING, Code.TOO_MANY_REQUESTS),
    )
    return router
