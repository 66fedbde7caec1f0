"""AlterUserScramCredentials, which aiokafka does not have."""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

SCRAM_SHA_512: Final = 2
ITERATIONS: Final = 4096


def alter_scram(passwords: Mapping[str, str]) -> "AlterScram":
    """Return the request that makes users, or gives them other passwords."""
    salt = secrets.token_bytes(16)
    return AlterScram(
        [
            (name, SCRAM_SHA_512, ITERATIONS, salt, hashlib.pbkdf2_hmac("sha512", word.encode(), salt, ITERATIONS), {})
            for name, word in passwords.items()
        ]
    )


class _ScramAltered(Response):  # type: ignore[misc] # aiokafka does not have it
    API_KEY, API_VERSION = 51, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString()),
                ("error_code", Int16),
                ("error_message", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterScram_v0(RequestStruct):  # type: ignore[misc] # noqa: N801 - as aiokafka calls them
    API_KEY, API_VERSION = 51, 0
    RESPONSE_TYPE = _ScramAltered
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", CompactString()), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString()),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterScram(Request[_AlterScram_v0]):  # type: ignore[misc]
    """Gives users their passwords, salted already."""

    API_KEY = 51

    def __init__(self, upsertions: list[tuple[Any, ...]]) -> None:
        self.upsertions = upsertions

    def build(self, request_struct_class: type[_AlterScram_v0]) -> _AlterScram_v0:
        """Return the request in the one version that there is."""
        return request_struct_class([], self.upsertions, {})
