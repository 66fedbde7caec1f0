"""The changes to aiokafka 0.14; those of its connections are in aiokafka_connections.py. No other file changes it.

`kafka/__init__` applies them once. Each change goes when aiokafka does what stands behind "until". "No issue": we found
none (November 2026).

- `MetadataRequest`: a request for a topic that does not exist creates it, with the broker's number of partitions, and
  keys go to other partitions. Until there is an option like Java's `allow.auto.create.topics`; no issue.
- `fetcher.MemoryRecords`: the name of a header that is not UTF-8 stops all partitions for ever, and a batch is
  decompressed whole (record_batches.py). Until neither is so; no issue. FastStream's parser has the same fault with
  values: https://github.com/ag2ai/faststream/issues/2458. It takes another parser (subscription.py), so no patch.
- `FetchResult.getall` and `Fetcher.fetched_records`: a poll returns a number of records whatever their size, and
  decompresses them on the event loop (record_portions.py). Until a poll has a limit in bytes and large batches are
  decompressed in a thread; no issue.
- `AIOKafkaConsumer.getmany`: FastStream's loop sleeps as long as it polled and tells nobody of a fetch that failed, and
  aiokafka raises the error of one partition a call (fetches.py). Until FastStream takes a consumer class; no issue.
- `producer.Sender`: an idempotent producer tries again for ever and tells nobody why. Until a batch fails with the
  broker's own error after a time, as with Java's `delivery.timeout.ms`; no issue.
- `GroupCoordinator._send_req`: a coordinator that is loading or has moved says so at the top of its answer and names no
  partition; aiokafka looks at the partitions only, and takes that for "nothing was committed". Until it looks at both;
  no issue.
- `errors.kafka_errors`: INVALID_RECORD is not in it. Until it is; no issue.
"""

from typing import Any, Final

from aiokafka import AIOKafkaConsumer, errors
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError, NotCoordinatorForGroupError, UnknownTopicOrPartitionError
from aiokafka.producer import producer
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.protocol.commit import OffsetFetchResponse_v2, OffsetFetchResponse_v3
from aiokafka.protocol.metadata import MetadataRequest

from notes_chassis.kafka import fetches, record_portions
from notes_chassis.kafka.clients import InvalidRecordError
from notes_chassis.kafka.record_batches import BoundedRecords

_getmany: Final = AIOKafkaConsumer.getmany
_fetched_records: Final = fetcher.Fetcher.fetched_records
_send_req: Final = GroupCoordinator._send_req
_WITH_ERROR_CODE: Final = (OffsetFetchResponse_v2, OffsetFetchResponse_v3)


async def _getmany_watched(consumer: Any, *partitions: Any, **options: Any) -> Any:
    watch = fetches.watching.get()
    if watch is None or not watch.watches(consumer):
        return await _getmany(consumer, *partitions, **options)
    options["timeout_ms"] = watch.poll_ms
    return await watch.fetch(consumer, lambda: _getmany(consumer, *partitions, **options))


async def _fetched_in_portions(itself: Any, *arguments: Any, **named: Any) -> record_portions.RecordsByPartition:
    with record_portions.polling(itself):
        records: record_portions.RecordsByPartition = await _fetched_records(itself, *arguments, **named)
    for tp in records:
        if tp in itself._records:  # partitions are drained in their order: put it last, so that others come first
            itself._records[tp] = itself._records.pop(tp)
    return records


def _getall(result: Any, max_records: int | None = None) -> list[Any]:
    """Return a partition's next records, within the poll's limit; none while a thread decompresses them."""
    if not result.check_assignment(result._topic_partition) or not result.has_more():
        return []
    if not isinstance(result._partition_records, record_portions.Portions):
        result._partition_records = record_portions.Portions(result._partition_records)
    portions: record_portions.Portions = result._partition_records
    try:
        records = portions.take(max_records)
    except BaseException as error:
        corrupt_from = portions.next_fetch_offset
        portions.next_fetch_offset = -1  # aiokafka drops the records, and fetches again from its position
        watch = fetches.watching.get()
        if isinstance(error, KafkaError) and watch is not None and watch.owns(result._assignment):
            watch.on_corrupt(result._topic_partition, corrupt_from)
            result._partition_records = None
            return []
        raise
    result._update_position()
    if portions.ended:
        result._partition_records = None
    return records


class PatientHandler(SendProduceReqHandler):  # type: ignore[misc] # aiokafka has no types
    """Retries errors that may pass, until the batch expires."""

    def _can_retry(self, error: Any, batch: Any) -> bool:
        # After aiokafka has asked for a missing topic's metadata, the batch would wait for a leader that never comes.
        missing = isinstance(error, UnknownTopicOrPartitionError)
        return bool(error.retriable) and not missing and not batch.expired()


class PatientSender(Sender):  # type: ignore[misc]
    """aiokafka's Sender with a PatientHandler."""

    async def _send_produce_req(self, node_id: Any, batches: Any) -> None:
        await PatientHandler(self, batches).do(node_id)
        self._in_flight.remove(node_id)
        self._muted_partitions.difference_update(batches)


async def _send_req_checked(coordinator: Any, request: Any) -> Any:
    """Send a request to the group's coordinator. Raises the error of an answer to a request for committed offsets."""
    response = await _send_req(coordinator, request)
    if isinstance(response, _WITH_ERROR_CODE) and response.error_code != errors.NoError.errno:
        error = errors.for_code(response.error_code)
        if error is NotCoordinatorForGroupError:
            coordinator.coordinator_dead()  # so that aiokafka looks for it again
        raise error(coordinator.group_id)
    return response


def patch() -> None:
    """Change aiokafka in this process."""
    MetadataRequest.__init__.__defaults__ = (None, False)
    AIOKafkaConsumer.getmany = _getmany_watched
    fetcher.MemoryRecords = BoundedRecords
    fetcher.FetchResult.getall = _getall
    fetcher.Fetcher.fetched_records = _fetched_in_portions
    producer.Sender = PatientSender
    GroupCoordinator._send_req = _send_req_checked
    errors.kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)
