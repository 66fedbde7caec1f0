"""What is counted of the streams of changes."""

from typing import Final

from prometheus_client import Counter, Gauge

STREAMS: Final = Gauge("notes_query_streams", "Streams of changes that are open")
SLOW: Final = Counter("notes_query_streams_slow_total", "Streams ended because their client took too long")
HELD: Final = Gauge("notes_query_changes_held", "Changes that wait until their documents are there")
APART: Final = Gauge(
    "notes_query_changes_apart", "Changes kept apart: the projector is done with them, their documents are not there"
)
