"""What `GET /notes/changes` sends, for the documentation: one event of the stream, and what its data hold."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field
from pydantic_core import to_json

from notes_contracts.examples import CREATED_AT, NOTE_ID
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp
from notes_query.live.stream import SLOW
from notes_query.live.streams import TOO_OLD

EVENT_ID: Final = "Ac_U2NUMEQQA5gEIDAkDHwUGAg"
_OPAQUE: Final = "^[A-Za-z0-9_-]+$"


class ChangeData(BaseModel):
    """A note has a new version. `type` is the event's; `occurred_at` is null where the event does not tell."""

    id: Id
    version: int
    type: str
    occurred_at: Timestamp | None


class NoticeData(BaseModel):
    """Something that the client has to know of the stream itself."""

    reason: str


class ServerSentEvent(BaseModel):
    """One event of the stream. `id` is opaque: `Last-Event-ID` takes it, on any instance."""

    id: Annotated[str, Field(pattern=_OPAQUE)]
    event: Literal["change", "reset", "slow"]
    data: Annotated[
        str,
        Field(
            description="JSON on one line: what changed, or the reason of a `reset` or `slow`.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"anyOf": [ChangeData.model_json_schema(), NoticeData.model_json_schema()]},
            },
        ),
    ]


def _event(name: str, data: BaseModel) -> dict[str, Any]:
    return {"value": {"id": EVENT_ID, "event": name, "data": to_json(data).decode()}}


_CHANGE: Final = ChangeData(id=NOTE_ID, version=3, type="notes.event.note-renamed.v1", occurred_at=CREATED_AT)
_EVENTS: Final = {
    "change": _event("change", _CHANGE),
    "reset": _event("reset", NoticeData(reason=TOO_OLD)),
    "slow": _event("slow", NoticeData(reason=SLOW)),
}
LAST_EVENT_ID: Final[dict[str, Any]] = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The last `id` that was received, on any instance: go on after it. Without one, or empty: from now.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]*$"},
    "example": EVENT_ID,
}
STREAMED: Final[dict[str, Any]] = {
    "description": "The changes; the answer ends when the service does.",
    "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/ServerSentEvent"}, "examples": _EVENTS}},
}


def event_schemas() -> dict[str, Any]:
    """Return the schema that STREAMED points at, by name: FastAPI knows models of JSON answers only."""
    return {"ServerSentEvent": ServerSentEvent.model_json_schema()}
