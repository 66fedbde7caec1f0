"""The metrics of the service. `docs/operations` says what each one means and what to do."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from notes_chassis.kafka.metrics import ConsumerMetrics

SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 30, 300)

CONSUMER = ConsumerMetrics("notes_command")
TAKEN = Histogram(
    "notes_command_taken_seconds",
    "From the oldest timestamp of a batch's records until the batch is in hand",
    buckets=SECONDS,
)
SENT = Histogram(
    "notes_command_sent_seconds",
    "From the oldest commit handed to the relay until Kafka has acknowledged its records",
    buckets=SECONDS,
)
LAG_RECORDS = Gauge("notes_command_lag_records", "Records not processed, of this instance's partitions", ["topic"])
LAG_SECONDS = Gauge("notes_command_lag_seconds", "Age of the oldest record not processed", ["topic"])
OUTCOMES = Counter("notes_command_outcomes_total", "Commands decided, by status and code", ["status", "code"])
DUPLICATES = Counter("notes_command_duplicates_total", "Commands answered again with their first outcome")
DEAD_LETTERS = Counter("notes_command_dead_letters_total", "Records dead-lettered, by code", ["code"])
DEAD_LETTERS_KEPT = Gauge(
    "notes_command_dead_letters_kept", "Dead letters in the store, by state, at most 100,000", ["state"]
)
BUGS = Counter("notes_command_handler_bugs_total", "Commands that failed by a bug in their handler")
RETRIES = Counter("notes_command_retries_total", "Batches decided or committed again at once, by reason", ["reason"])
RELAY_SENT = Counter("notes_command_relay_sent_total", "Outbox rows acknowledged by Kafka")
RELAY_FAILURES = Counter("notes_command_relay_failures_total", "Times the relay had to start over")
RELAY_PARKED = Counter("notes_command_relay_parked_total", "Outbox rows put aside because Kafka refuses them")
RELAY_UNWRITABLE = Gauge(
    "notes_command_relay_unwritable", "1 while a destination cannot be written", ["topic", "partition", "error"]
)
OUTBOX_ROWS = Gauge("notes_command_outbox_rows", "Outbox rows waiting to be sent")
OUTBOX_PARKED = Gauge("notes_command_outbox_parked_rows", "Outbox rows put aside")
OUTBOX_AGE = Gauge("notes_command_outbox_age_seconds", "Age of the oldest row waiting to be sent")
TASK_FAILURES = Counter("notes_command_task_failures_total", "Times a task failed and was started again", ["task"])
GATEWAY = Counter("notes_command_gateway_total", "Valid commands taken over HTTP: on Kafka, or not", ["result"])
UNREAD = Counter("notes_command_outcomes_unread_total", "Outcomes not waited for, since PostgreSQL did not answer")
CLIENTS = Gauge("notes_command_waiting_clients", "HTTP clients that wait for an outcome")
