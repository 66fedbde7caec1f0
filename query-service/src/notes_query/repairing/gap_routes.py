"""`GET /admin/gaps`: what keeps notes from being complete, as `gaps`, `forks list` and `missing list` tell it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from notes_chassis.http.administration import AdminRoute, PageQuery
from notes_contracts import Code
from notes_contracts.examples import CREATED_AT, MESSAGE_ID, NOTE_ID
from notes_contracts.ids import Id
from notes_query.http.query_route import answers
from notes_query.repairing.forks import Fork, Forks
from notes_query.repairing.gaps import Gap, Gaps
from notes_query.repairing.missing_versions import MissingVersion, MissingVersions


class Asked(PageQuery):
    """Query of `GET /admin/gaps`."""

    note: Annotated[Id | None, Field(description="Only of this note.", examples=[NOTE_ID])] = None


class GapsFound(BaseModel):
    """At most `limit` of each, the oldest first. `more`: there may be others."""

    items: list[Gap]
    forks: list[Fork]
    missing: list[MissingVersion]
    more: bool


_EXAMPLE: Final = {
    "items": [
        {
            "note_id": NOTE_ID,
            "version": 1,
            "missing": 2,
            "waiting": 1,
            "awaited": 3,
            "forks": 1,
            "since": CREATED_AT,
            "stopped": True,
            "read_model": "notes_v2_1",
        }
    ],
    "forks": [
        {
            "id": f"{NOTE_ID}:1:{MESSAGE_ID}",
            "note_id": NOTE_ID,
            "version": 1,
            "event_id": MESSAGE_ID,
            "type": "notes.event.note-updated.v1",
            "topic": "notes.events",
            "partition": 3,
            "offset": 17,
            "since": CREATED_AT,
            "read_models": ["notes_v2_1"],
            "stopped": True,
        }
    ],
    "missing": [{"note_id": NOTE_ID, "version": 3, "since": CREATED_AT}],
    "more": False,
}


def gap_routes(gaps: Gaps, forks: Callable[[], Awaitable[Forks]], missing: MissingVersions) -> APIRouter:
    """Return the route. `forks` gives those of the builds that are fed now."""
    router = APIRouter(tags=["operations"], route_class=AdminRoute)

    @router.get(
        "/admin/gaps",
        operation_id="list_gaps",
        summary="Notes that are not complete",
        response_model=GapsFound,
        responses=answers(_EXAMPLE, (), (Code.INVALID, Code.UNAVAILABLE, Code.BUILDING)),
    )
    async def list_gaps(query: Annotated[Asked, Query()]) -> Any:
        """Return parked notes, forks, and versions that were announced and did not come."""
        found: dict[str, Sequence[Any]] = {
            "items": await gaps.find(query.limit, query.note),
            "forks": await (await forks()).find(query.limit, query.note),
            "missing": await (missing.oldest(query.limit) if query.note is None else missing.of([query.note])),
        }
        return {**found, "more": any(len(one) == query.limit for one in found.values())}

    return router
