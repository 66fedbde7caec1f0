"""Every error code of the system, with its HTTP status. A code is stable: clients branch on it."""

from enum import StrEnum
from types import MappingProxyType


class Code(StrEnum):
    """Codes of outcomes and of problem documents.

    Of an outcome:
        undecodable          nobody can read the record; dead-lettered
        invalid              the shape does not hold; the message names the fields
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
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    REQUEST_TIMEOUT = "request_timeout"
    BAD_REQUEST = "bad_request"


HTTP_STATUS = MappingProxyType(
    {
        Code.UNDECODABLE: 500,
        Code.INVALID: 422,
        Code.NOTE_ALREADY_EXISTS: 409,
        Code.NOTE_NOT_FOUND: 404,
        Code.NOTE_ARCHIVED: 409,
        Code.NOTE_DELETED: 410,
        Code.TOO_MANY_TAGS: 422,
        Code.VERSION_CONFLICT: 409,
        Code.INTERNAL: 500,
        Code.IDEMPOTENCY_KEY_REUSED: 422,
        Code.INVALID_CURSOR: 400,
        Code.BUILDING: 503,
        Code.UNKNOWN_COMMAND: 404,
        Code.COMMAND_NOT_FOUND: 404,
        Code.NOT_FOUND: 404,
        Code.METHOD_NOT_ALLOWED: 405,
        Code.TOO_LARGE: 413,
        Code.UNAVAILABLE: 503,
        Code.TOO_MANY_REQUESTS: 429,
        Code.UNSUPPORTED_MEDIA_TYPE: 415,
        Code.REQUEST_TIMEOUT: 408,
        Code.BAD_REQUEST: 400,
    }
)

if missing := set(Code) - set(HTTP_STATUS):
    raise ImportError(f"codes without an HTTP status: {sorted(missing)}")
