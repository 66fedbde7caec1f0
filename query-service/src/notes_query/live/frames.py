"""Changes as server-sent events."""

from typing import Final

from pydantic_core import to_json

from notes_query.live.change_log import Entry
from notes_query.live.holding import Sent

HEARTBEAT: Final = b": heartbeat\n\n"


def entry_of(sent: Sent) -> Entry:
    """Return a change as the log keeps it: written once, for every client."""
    change = sent.change
    data = {
        "id": change.note_id,
        "version": change.version,
        "type": change.type,
        "occurred_at": change.occurred_at,
    }
    return Entry(change.partition, change.offset, sent.late, sent.id, frame("change", data, sent.id))


def reset_entry(id_: str, reason: str) -> Entry:
    """Return what tells every client that something is lost."""
    return Entry(-1, 0, late=True, id=id_, frame=frame("reset", {"reason": reason}, id_))


def frame(event: str, data: object, id_: str) -> bytes:
    """Return one event; JSON has no line breaks of its own."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (id_.encode(), event.encode(), to_json(data))


def opening(retry_ms: int, id_: str) -> bytes:
    """Return what a stream begins with: when to come back, and from where, should nothing happen until then."""
    return b"retry: %d\nid: %b\n\n" % (retry_ms, id_.encode())
