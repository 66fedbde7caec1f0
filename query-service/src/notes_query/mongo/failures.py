"""What an error of MongoDB means: a document that it refuses for good, or something that passes.

The default is that it passes: a server that restarts, fails over, is full, kills an operation or has forgotten who we
are says so in more codes than anybody can list. What is wrong with a document is a short list.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError, WriteError

from notes_query.errors import DocumentRefused, StoreUnavailable

DUPLICATE_KEY: Final = 11000
REFUSES_DOCUMENT: Final = frozenset(
    {
        22,  # InvalidBSON
        52,  # DollarPrefixedFieldName
        53,  # InvalidIdField
        55,  # InvalidDBRef
        56,  # EmptyFieldName
        57,  # DottedFieldName
        121,  # DocumentValidationFailure
        171,  # CannotIndexParallelArrays
        10334,  # BSONObjectTooLarge
        13548,  # a buffer would grow beyond what a document may have
        17280,  # KeyTooLong
        17419,  # an update makes the document too large
        17420,  # an upsert makes it too large
    }
)
"""Codes that say what is wrong with a document, wherever they stand."""
REFUSES_IN_A_WRITE: Final = REFUSES_DOCUMENT | {
    2,  # BadValue
    9,  # FailedToParse
    14,  # TypeMismatch
}
"""The same where they stand beside one write of many; of a whole command they can speak of its options."""

T = TypeVar("T")

# OpenSSL's words for why: up to what would name a host.
_UNTRUSTED: Final = re.compile(r"certificate verify failed: [\w -]*\w")


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn the driver's errors into ours, whose texts have kind and code: the driver's hold documents and hosts.

    Raises DocumentRefused for what no retry will change, StoreUnavailable for everything else. A DuplicateKeyError
    goes through: the caller that inserts expects it.
    """
    try:
        yield
    except DuplicateKeyError:
        raise
    except PyMongoError as error:
        # Not `from error`: it holds the document, and a printed chain would show it.
        raise meaning_of(error) from None


async def in_time(asked: Awaitable[T], seconds: float) -> T:
    """Return what the driver answers to a reader. Raises StoreUnavailable, after so many seconds at the latest.

    The driver's own limit begins when one of its few threads takes the call: while MongoDB hangs, others come first.
    """
    with driver_errors():
        try:
            async with asyncio.timeout(seconds):
                return await asked
        except TimeoutError:
            raise StoreUnavailable(f"MongoDB: no answer within {seconds:g} s") from None


def is_untrusted(error: Exception | None) -> bool:
    """Tell whether a server was there whose certificate is not to be trusted."""
    return error is not None and _UNTRUSTED.search(str(error)) is not None


def meaning_of(error: PyMongoError) -> DocumentRefused | StoreUnavailable:
    """Return what to raise instead of an error of the driver."""
    text = f"MongoDB: {_said(error)}"
    return DocumentRefused(text) if _refuses_document(error) else StoreUnavailable(text)


def _refuses_document(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        codes = {item.get("code") for item in details.get("writeErrors", ())} - {DUPLICATE_KEY}
        return bool(codes) and not details.get("writeConcernErrors") and codes <= REFUSES_IN_A_WRITE
    if not isinstance(error, OperationFailure) or error.timeout or (error.details or {}).get("errorLabels"):
        return False
    return error.code in (REFUSES_IN_A_WRITE if isinstance(error, WriteError) else REFUSES_DOCUMENT)


def _said(error: PyMongoError) -> str:
    """Return kind and codes; a code's name is the server's constant."""
    kind = type(error).__name__
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        found: list[Mapping[str, Any]] = [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
        codes = sorted({item["code"] for item in found if isinstance(item.get("code"), int)})
        return f"{kind} {', '.join(map(str, codes))}"
    if isinstance(error, OperationFailure) and error.code is not None:
        name = (error.details or {}).get("codeName")
        return f"{kind} {error.code}" + (f" ({name})" if isinstance(name, str) else "")
    untrusted = _UNTRUSTED.search(str(error))
    return f"{kind} ({untrusted[0]})" if untrusted else kind
