"""Every error code of the system, with its HTTP status. A code is stable: clients branch on it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Code(StrEnum):
    """Codes of outcomes and of problem documents.

    Of an outcome:
        undecodable          nobody can read the record; dead-lettered
        invalid              the data does not fit its model; the message names the fields
        note_already_exists  create with an id in use
        note_not_found       the id is unknown
        note_archived        only archive, restore and delete are possible
        note_deleted         for ever
        too_many_tags        more than 20
        version_conflict     expected_version is not the version
        internal             our fault; dead-lettered
    Of HTTP alone: the rest.
    """

    UNDECODABLE = "undecodable"
    INVALID = "invalid"
    NOTE_ALREADY_EXISTS = "note_already_exists"
    NOTE_NOT_FOUND = "note_not_found"
    NOTE_ARCHIVED = "note_archived"
    NOTE_DELETED = "note_deleted"
    TOO_MANY_TAGS = "too_many_tags"
    VERSION_CONFLICT = "version_conflict"
    INTERNAL = "internal"

    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    INVALID_CURSOR = "invalid_cursor"
    BUILDING = "building"
    UNKNOWN_COMMAND = "unknown_command"
    COMMAND_NOT_FOUND = "command_not_found"
    DEAD_LETTER_NOT_FOUND = "dead_letter_not_found"
    DEAD_LETTERS_HELD = "dead_letters_held"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    REQUEST_TIMEOUT = "request_timeout"
    BAD_REQUEST = "bad_request"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"


_BY_STATUS: Final = {
    400: (Code.INVALID_CURSOR, Code.BAD_REQUEST),
    401: (Code.UNAUTHENTICATED,),
    403: (Code.FORBIDDEN,),
    404: (
        Code.NOTE_NOT_FOUND,
        Code.UNKNOWN_COMMAND,
        Code.COMMAND_NOT_FOUND,
        Code.DEAD_LETTER_NOT_FOUND,
        Code.NOT_FOUND,
    ),
    405: (Code.METHOD_NOT_ALLOWED,),
    408: (Code.REQUEST_TIMEOUT,),
    409: (Code.NOTE_ALREADY_EXISTS, Code.NOTE_ARCHIVED, Code.VERSION_CONFLICT, Code.DEAD_LETTERS_HELD),
    410: (Code.NOTE_DELETED,),
    413: (Code.TOO_LARGE,),
    415: (Code.UNSUPPORTED_MEDIA_TYPE,),
    422: (Code.INVALID, Code.TOO_MANY_TAGS, Code.IDEMPOTENCY_KEY_REUSED),
    429: (Code.TOO_MANY_REQUESTS,),
    500: (Code.UNDECODABLE, Code.INTERNAL),
    503: (Code.BUILDING, Code.UNAVAILABLE),
}
HTTP_STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {code: status for status, codes in _BY_STATUS.items() for code in codes}
)

if missing := set(Code) - set(HTTP_STATUS):
    raise ImportError(f"codes without an HTTP status: {sorted(missing)}")
