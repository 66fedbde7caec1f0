"""The part that all folded read models have in common, so that a read model's file says only what is its own."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from notes_contracts import EVENTS
from notes_query.projections.applied_ids import UNKNOWN, ids_of, packed, with_next
from notes_query.projections.read_model import Evolve
from notes_query.projections.recorded_event import RecordedEvent

_BEGINNING: Final = MappingProxyType[str, Any](
    {"version": 0, "event_id": None, "ids": b"", "snapshot": 0, "parked": False}
)

Apply = Callable[[Any, Any, datetime], None]
"""(document, the event's data, when it occurred): sets fields of the document. A list or dict in it is replaced whole,
never changed in place: the document before shares it."""


def folding(blank: Mapping[str, Any], apply: Mapping[str, Apply]) -> Evolve:
    """Return the evolve of a read model whose new document has the fields of `blank`, and `apply` by event type.

    An event of a type that is not in `apply`, or that this service does not know, advances the version and changes
    nothing else. Raises ImportError for a type that no event has.
    """
    if unknown := set(apply) - set(EVENTS):
        raise ImportError(f"functions for events that do not exist: {', '.join(sorted(unknown))}")

    # A plain dict, copied for each note: to merge both proxies anew takes a fifth of the fold of a create.
    beginning = {"_id": "", **_BEGINNING, **blank}

    def evolve(document: Any, event: RecordedEvent) -> Any:
        if document is None:
            after: Any = beginning.copy()
            after["_id"] = event.note_id
        else:
            after = document.copy()
        if event.data is not None and event.occurred_at is not None and (change := apply.get(event.type)) is not None:
            change(after, event.data, event.occurred_at)
        # A snapshot stands for the event of its version, whose id it does not tell.
        id_ = None if event.stands_in else event.id
        after["ids"] = with_next(
            ids_of(after), after["version"], event.version, UNKNOWN if id_ is None else packed(id_)
        )
        after["event_id"] = id_
        after["version"] = event.version
        if event.is_snapshot:
            after["snapshot"] = event.version
        return after

    return evolve
