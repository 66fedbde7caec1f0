"""Which errors of MongoDB are a document's fault; all others pass, and are waited for."""

from typing import Any

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    CursorNotFound,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteError,
    WTimeoutError,
)

from notes_chassis.logs import places_of_exceptions
from notes_query.errors import DocumentRefused, StoreUnavailable, reason_of
from notes_query.mongo.driver import driver_errors

MARKER = "what a user wrote at host-7.cluster.example:27017"
PASSES = [
    *(1, 6, 7, 8, 10, 11, 13, 18, 24, 26, 43, 46, 50, 64, 79, 89, 91, 96, 100, 112, 133, 134, 136, 175, 189, 202, 211),
    *(225, 246, 251, 262, 267, 276, 279, 290, 292, 314, 317, 334, 356, 358, 365, 384, 391, 8000, 9001, 10058, 10107),
    *(11600, 11601, 11602, 13388, 13435, 13436, 14031, 17280000, 50915, 63, 150, 234, 13297, 16500, 2, 9, 14),
]
ALWAYS_REFUSED = [22, 52, 53, 55, 56, 57, 121, 10334, 17280, 17419, 17420]


def bulk(*codes: int, concern: int | None = None) -> BulkWriteError:
    errors = [
        {"index": place, "code": code, "errmsg": MARKER, "op": {"body": MARKER}} for place, code in enumerate(codes)
    ]
    concerns = [] if concern is None else [{"code": concern, "errmsg": MARKER}]
    return BulkWriteError({"writeErrors": errors, "writeConcernErrors": concerns})


def failed(code: int, kind: type[OperationFailure] = OperationFailure, **details: Any) -> OperationFailure:
    return kind(MARKER, code, {"code": code, "errmsg": MARKER, **details})


WAITED_FOR: list[PyMongoError] = [
    *map(failed, PASSES),
    *(failed(code, errorLabels=["RetryableWriteError"]) for code in (121, 10334)),
    *(failed(code, errorLabels=["TransientTransactionError"]) for code in (121, 10334)),
    *(bulk(code) for code in PASSES if code not in (2, 9, 14)),
    *(bulk(code, 121) for code in (11601, 112, 14031)),
    *(bulk(11000, code) for code in (11601, 112)),
    *(bulk(concern=code) for code in (64, 91, 100, 11602)),
    bulk(121, concern=64),
    CursorNotFound(MARKER, 43),
    ExecutionTimeout(MARKER, 50),
    WTimeoutError(MARKER, 64),
    AutoReconnect(MARKER),
    NotPrimaryError(MARKER),
    ServerSelectionTimeoutError(MARKER),
    InvalidOperation(MARKER),
]
REFUSED: list[PyMongoError] = [
    *map(failed, ALWAYS_REFUSED),
    *map(bulk, ALWAYS_REFUSED),
    *(bulk(code) for code in (2, 9, 14)),
    *(failed(code, WriteError) for code in (2, 9, 14, 121)),
    bulk(11000, 121),
    bulk(121, 10334),
]


def said_of(error: PyMongoError, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught, driver_errors():
        raise error
    logged = places_of_exceptions(None, "error", {"exc_info": caught.value})["exception"]
    return f"{caught.value} {reason_of(caught.value)} {logged}"


@pytest.mark.parametrize("error", WAITED_FOR, ids=lambda error: f"{type(error).__name__} {error.__dict__}"[:90])
def test_a_failure_that_is_waited_for_shows_no_value_of_a_document(error: PyMongoError):
    assert MARKER not in said_of(error, StoreUnavailable)


@pytest.mark.parametrize("error", REFUSED, ids=lambda error: f"{type(error).__name__} {error.__dict__}"[:90])
def test_a_refused_document_shows_no_value_of_it(error: PyMongoError):
    assert MARKER not in said_of(error, DocumentRefused)


def test_the_text_says_kind_and_codes():
    assert "MongoDB: BulkWriteError 112, 121" in said_of(bulk(121, 112), StoreUnavailable)
    assert "MongoDB: OperationFailure 365 (Migrating)" in said_of(failed(365, codeName="Migrating"), StoreUnavailable)


def test_a_taken_key_is_expected_by_who_inserts():
    with pytest.raises(DuplicateKeyError), driver_errors():
        raise DuplicateKeyError(MARKER, 11000)
