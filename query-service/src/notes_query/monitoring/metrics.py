"""What the service counts."""

from prometheus_client import Counter, Gauge, Histogram

from notes_chassis.kafka.metrics import ConsumerMetrics
from notes_query.projecting.counts import COUNTED, Counts

CONSUMERS = ConsumerMetrics("notes_query", "projector")
RECORDS = Counter("notes_query_records_total", "Records by what became of them", ["projector", "result"])
TASK_FAILURES = Counter("notes_query_task_failures_total", "Times a task failed and was started again", ["task"])
WAITING = Gauge("notes_query_awaited", "Notes and commands that readers wait for", ["kind"])
BUILDS_UNFED = Gauge(
    "notes_query_builds_unfed", "Builds that no instance feeds: of another release, or of none any more"
)
PARKED = Gauge("notes_query_parked_events", "Events that wait for a missing version of their note", ["read_model"])
FORKS = Gauge("notes_query_forks", "Events kept because another one has their note's version: ALARM", ["read_model"])
DEAD_LETTERS_SENT = Counter("notes_query_dead_letters_sent_total", "Dead letters acknowledged by Kafka")
DEAD_LETTER_FAILURES = Counter("notes_query_dead_letter_failures_total", "Times a dead letter could not be sent")
DEAD_LETTERS_UNWRITABLE = Gauge(
    "notes_query_dead_letters_unwritable",
    "1 while the topic of dead letters cannot be written",
    ["topic", "partition", "error"],
)
LAG_RECORDS = Gauge(
    "notes_query_lag_records", "Records not stored yet, of the partitions that are read here", ["projector"]
)
LAG_SECONDS = Gauge(
    "notes_query_lag_seconds", "Age of the oldest record not stored yet, at most, of these partitions", ["projector"]
)
PROJECTION_LAG = Gauge(
    "notes_query_projection_lag_seconds",
    "For how long what is written may not be readable yet, over all partitions; NaN: not known",
    ["projector"],
)
VISIBLE_SECONDS = Histogram(
    "notes_query_visible_seconds",
    "Time from a decision (ce_time) to its event in the documents that readers get",
    buckets=(0.005, 0.01, 0.02, 0.04, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
RECEIVED_SECONDS = Histogram(
    "notes_query_received_seconds",
    "Time from when a record was written until a batch with it is in hand, of the oldest one of a batch",
    ["projector"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 30, 300),
)
WOKEN_SECONDS = Histogram(
    "notes_query_woken_seconds",
    "Time from when what a reader waits for is known to be stored until the reader goes on",
    ["kind"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1),
)
MISSING_VERSIONS = Gauge("notes_query_missing_versions", "Notes whose last version was announced and did not come")
REPUBLISH = Counter("notes_query_republish_total", "Snapshots asked for because of a gap, by answer", ["answer"])
DEAD_LETTERS_KEPT = Gauge("notes_query_dead_letters_kept", "Dead letters that are kept, by state", ["state"])
REQUEST_SECONDS = Histogram(
    "notes_query_request_seconds",
    "Time from a request to the first byte of its answer, waiting included",
    ["route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def count(projector: str, counts: Counts) -> None:
    """Add what became of a batch."""
    for result in COUNTED:
        if number := getattr(counts, result):
            RECORDS.labels(projector, result).inc(number)
