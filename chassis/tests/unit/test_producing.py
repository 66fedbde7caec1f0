"""What a producer retries, and for how long; what no retry changes."""

import pytest
from aiokafka.errors import (
    InvalidTimestampError,
    LeaderNotAvailableError,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
    TopicAuthorizationFailedError,
    UnknownError,
    UnknownTopicOrPartitionError,
    for_code,
)

from notes_chassis.kafka.aiokafka_patches import PatientHandler, PatientSender
from notes_chassis.kafka.clients import REFUSALS, InvalidRecordError, producer
from notes_chassis.kafka.cluster import Cluster


class Batch:
    def __init__(self, *, expired: bool = False) -> None:
        self._expired = expired

    def expired(self) -> bool:
        return self._expired


@pytest.fixture
async def handler() -> PatientHandler:
    made = producer(Cluster("127.0.0.1:1"), 3.0, enable_idempotence=True)
    assert isinstance(made._sender, PatientSender)
    made._closed = True  # it was never started
    return PatientHandler(made._sender, {})


@pytest.mark.parametrize(
    "error", [NotEnoughReplicasError(), NotEnoughReplicasAfterAppendError(), LeaderNotAvailableError()]
)
async def test_what_may_pass_is_retried_until_the_time_is_over(handler: PatientHandler, error: Exception) -> None:
    assert handler._can_retry(error, Batch())
    assert not handler._can_retry(error, Batch(expired=True))


@pytest.mark.parametrize(
    "error", [UnknownTopicOrPartitionError(), TopicAuthorizationFailedError(), UnknownError(), InvalidRecordError()]
)
async def test_the_rest_is_told_at_once(handler: PatientHandler, error: Exception) -> None:
    assert not handler._can_retry(error, Batch())


def test_a_record_that_the_topic_refuses_is_known_by_its_name_and_unknown_errors_are_no_refusals() -> None:
    assert for_code(87) is InvalidRecordError
    assert InvalidRecordError in REFUSALS
    assert for_code(9999) is UnknownError
    assert UnknownError not in REFUSALS


def test_a_clock_that_is_wrong_is_not_the_fault_of_a_record() -> None:
    assert InvalidTimestampError not in REFUSALS
