"""A page of the notes that contain some words, the best first."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from notes_query.http.query_route import CURSOR, LagSeconds, Limit, QueryRoute, answers, digested, lag_header, shown_as
from notes_query.reads import cursor
from notes_query.reads.after import AfterCommand, AfterQuery
from notes_query.reads.cursor import Rank
from notes_query.reads.list_notes import (
    PAGE_PROBLEMS,
    STATUSES,
    SUMMARY_EXAMPLE,
    AuthorFilter,
    Chosen,
    NoteSummary,
    Page,
    Status,
    TagFilter,
    condition,
)
from notes_query.reads.served import Served, View
from notes_query.reads.share import Shares
from notes_query.reads.words import pattern_of, snippet_of, terms_of, words_of

Q_MAX: Final = 256
Q_WORDS_MAX: Final = 16
LOOKED: Final = 500_000
"""Characters of all bodies of a page that are searched for a snippet: 25,000 of each of twenty."""

_SCORE: Final = {"$meta": "textScore"}
_FOUND: Final = dict.fromkeys(("title", "tags", "status", "version", "updated_at"), 1)
_EXAMPLE: Final[dict[str, Any]] = {
    "items": [{**SUMMARY_EXAMPLE, "snippet": "Flour, water, salt, and time."}],
    "next_cursor": None,
}

ALL: Final = Chosen(STATUSES["all"])


def _few_words(text: str) -> str:
    # MongoDB ends a word at `_` too.
    if len(words_of(text.replace("_", " "))) > Q_WORDS_MAX:
        raise PydanticCustomError("too_many_words", f"has more than {Q_WORDS_MAX} words")
    return text


class SearchQuery(AfterQuery):
    """Query of `GET /notes/search`."""

    q: Annotated[
        str,
        Field(
            min_length=1,
            max_length=Q_MAX,
            description=f"At most {Q_WORDS_MAX} words; a note with any of them is found. Case, accents and punctuation "
            "do not matter. Han, kana, Hangul, Thai, Lao, Burmese and Khmer are found within longer runs, too.",
            examples=["bread"],
        ),
        AfterValidator(_few_words),
    ]
    limit: Limit = 20
    cursor: Annotated[
        str | None, Field(description=CURSOR, examples=["ApjQhFcnsD_xmZmZmZmaD4-tW9nLRp-hZXCGdyiVDg"])
    ] = None
    tag: TagFilter = None
    author: AuthorFilter = None
    status: Annotated[Status, Field(description="Only notes of this status.", examples=["all"])] = "all"

    @property
    def chosen(self) -> Chosen:
        """Return the filters of the notes with these words."""
        return Chosen(STATUSES[self.status], self.tag, self.author)


class FoundNote(NoteSummary):
    """A note that was searched for; `snippet`: plain text around the first word that was found."""

    snippet: str


class SearchPage(BaseModel):
    """A page of notes that were found, best first; `next_cursor` is null on the last one."""

    items: list[FoundNote]
    next_cursor: str | None


class SearchNotes:
    """`GET /notes/search`, read by the threads of a share."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares

    async def __call__(self, query: SearchQuery, *, waited: bool = False) -> Page:
        """Return a page of what FoundNote describes, the notes with any word of `q`; none if there is no word in it.

        `waited`: the reader has waited for a command.

        A note that is edited between two pages may change its rank, and so its page. Raises InvalidCursor, also for a
        cursor of other words; Busy, StoreUnavailable, Building.
        """
        words = words_of(query.q)
        limit = query.limit
        chosen = query.chosen
        filters = () if chosen == ALL else (chosen.statuses, chosen.tag, chosen.author)
        scope = cursor.scope_of("search", sorted(words), *filters)
        rank = None if query.cursor is None else cursor.decode_rank(query.cursor, scope)
        if not words:
            return Page((), None)

        def search(served: Served) -> Page:
            # Bodies are large: ranks are read first, then the notes of this page alone.
            pipeline = ranks_pipeline(words, chosen, rank, limit + 1)
            found = served["search"].delegate.aggregate(pipeline, batchSize=limit + 1)
            ranks = [Rank(item["score"], item["_id"]) for item in found]
            next_cursor = cursor.encode(ranks[limit - 1], scope) if len(ranks) > limit else None
            return Page(_with_snippets(served, [rank.note_id for rank in ranks[:limit]], chosen, words), next_cursor)

        return await self._shares.run(search, waited=waited)


def _with_snippets(served: Served, ids: Sequence[str], chosen: Chosen, words: Sequence[str]) -> list[View]:
    """Return these notes as they are now, without those that are gone or not chosen.

    They are read from the notes: search documents lag, and may hold what was deleted since. The snippets are made after
    the last query, so no search fails because they take long.
    """
    looked = LOOKED // max(len(ids), 1)
    # One character more shows whether the body goes on.
    fields = {**_FOUND, "body": {"$substrCP": ["$body", 0, looked + 1]}}
    wanted = {"_id": {"$in": list(ids)}, **condition(chosen)}
    notes = {item["_id"]: item for item in served["notes"].delegate.find(wanted, fields)}
    there = [notes[id_] for id_ in ids if id_ in notes]
    return [{**shown_as(NoteSummary, note), "snippet": snippet_of(note, words, looked)} for note in there]


def ranks_pipeline(words: Sequence[str], chosen: Chosen, after: Rank | None, limit: int) -> list[dict[str, Any]]:
    """Return the aggregation of scores and ids behind `after`: best score first, then by id.

    A score depends on the note and the words alone, so a page can go on where another ended.
    """
    pipeline: list[dict[str, Any]] = [
        # No filter by status unless needed: it would read every note once more. Deleted notes have no words, and
        # `_with_snippets` filters again.
        {"$match": {"$text": {"$search": terms_of(words)}}}
    ]
    if chosen != ALL:
        pipeline.append({"$match": condition(chosen)})
    pattern = pattern_of(words)
    if pattern is not None:
        pipeline.append({"$match": {"$or": [{name: {"$regex": pattern}} for name in ("title", "tags", "body")]}})
    pipeline.append({"$project": {"score": _SCORE}})
    if after is not None:
        below = [{"score": {"$lt": after.score}}, {"score": after.score, "_id": {"$gt": after.note_id}}]
        pipeline.append({"$match": {"$or": below}})
    return [*pipeline, {"$sort": {"score": -1, "_id": 1}}, {"$limit": limit}]


def search_route(search_notes: SearchNotes, lag: LagSeconds, after: AfterCommand) -> APIRouter:
    """Return the route; `lag` is that of the projector that the search documents are built by."""
    router = APIRouter(tags=["lists"], route_class=QueryRoute)

    @router.get(
        "/notes/search",
        operation_id="search_notes",
        summary="Notes with these words, best first",
        response_model=SearchPage,
        responses=answers(_EXAMPLE, ("ETag", "Cache-Control", "Consistency", "Projection-Lag"), PAGE_PROBLEMS),
    )
    async def search(query: Annotated[SearchQuery, Query()], request: Request) -> Response:
        """Return the notes with any of the words in title, tags or body, the best first; those archived, too.

        `snippet` is plain text around the first of the words: escape it before it becomes HTML.
        """
        waited = await after(query, "notes", "search")
        notes, following = await search_notes(query, waited=waited.reached is not None)
        body = {"items": notes, "next_cursor": following}
        return digested(request, body, waited.headers | lag_header(lag))

    return router
