"""The metrics of consumers. Their names begin with the service's prefix."""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram


class ConsumerMetrics:
    """The metrics of all consumers of a service. `label`: the name of the label that tells several consumers apart."""

    def __init__(self, prefix: str, *label: str) -> None:
        self._labelled = bool(label)
        self.batch_size = Histogram(
            f"{prefix}_batch_records", "Records in a batch", label, buckets=(1, 5, 20, 50, 100, 200, 500, 1000)
        )
        self.batch_seconds = Histogram(
            f"{prefix}_batch_seconds",
            "Time from a batch's arrival until it is stored",
            label,
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
        )
        self.waits = Counter(f"{prefix}_waits_total", "Times a batch had to wait, by reason", [*label, "reason"])
        self.waiting = Gauge(f"{prefix}_waiting", "1 while the batch in hand waits for its next try", label)
        self.rewinds = Counter(
            f"{prefix}_rewinds_total", "Batches not processed because records before them were skipped", label
        )
        self.holes = Counter(
            f"{prefix}_offset_holes_total", "Offsets that never come: transaction markers, aborted records", label
        )
        self.lost = Counter(
            f"{prefix}_lost_records_total", "Records that retention removed before they were read: ALARM", label
        )
        self.resets = Counter(
            f"{prefix}_partition_resets_total",
            "Partitions read from their beginning, because the topic was made anew or lost its end: ALARM",
            label,
        )
        self.uncommitted = Gauge(
            f"{prefix}_uncommitted_records", "Records that wait behind a transaction that is still open", label
        )
        self.restarts = Counter(
            f"{prefix}_consumer_restarts_total", "Times a consumer died and was started again", label
        )

    def of(self, metric: Any, name: str) -> Any:
        """Return the metric of the consumer with this name."""
        return metric.labels(name) if self._labelled else metric

    def waited(self, name: str, reason: str) -> None:
        """Count one wait."""
        (self.waits.labels(name, reason) if self._labelled else self.waits.labels(reason)).inc()
