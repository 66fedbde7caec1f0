"""A broker with SASL_SSL and the access rights of docs/security.md: certificates, users, rights."""

import asyncio
import hashlib
import ipaddress
import re
import ssl
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest
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
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notes_chassis.kafka.clients import close, started
from notes_chassis.kafka.cluster import Cluster

PAGE: Final = Path(__file__).parents[2] / "docs/security.md"
ADMIN: Final = "admin"
OPERATIONS: Final = {"Read": 3, "Write": 4, "DescribeConfigs": 10}
TOPIC, GROUP = 2, 3
_ROW: Final = re.compile(
    r"^\|[^|]*`([\w-]+)` \| (topic|groups?) `([\w.-]+)`( and what follows)? \| ([\w, ]+) \|$", re.MULTILINE
)
_LITERAL, _PREFIXED = 3, 4
_ALLOW: Final = 3
_SCRAM_SHA_512: Final = 2
_ITERATIONS: Final = 4096
_LOGIN: Final = "org.apache.kafka.common.security"


class Right(NamedTuple):
    """A row of the page: what a principal may do on a topic or group, or on all groups that begin so."""

    principal: str
    kind: int
    name: str
    prefixed: bool
    operations: tuple[str, ...]


def rights() -> list[Right]:
    """Return the table of docs/security.md."""
    found = _ROW.findall(PAGE.read_text(encoding="utf-8"))
    return [
        Right(principal, TOPIC if kind == "topic" else GROUP, name, bool(follows), tuple(operations.split(", ")))
        for principal, kind, name, follows, operations in found
    ]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 that vouches for itself; return it alone, and with its key, both PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    alone, whole = folder / "certificate.pem", folder / "keystore.pem"
    alone.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    whole.write_bytes(secret + alone.read_bytes())
    return alone, whole


def settings(alone: Path, whole: Path, password: str, issuer: str, reauthenticate_ms: int = 0) -> dict[str, object]:
    """Return what differs from the usual broker.

    The listener keeps its name, PLAINTEXT, and so its port; what is spoken on it is SASL_SSL and nothing else. The
    broker speaks to its own controller by PLAIN. `reauthenticate_ms`: how long a session lasts; 0: as its token.
    """
    listener = "listener.name.plaintext"
    plain = f'{_LOGIN}.plain.PlainLoginModule required username="{ADMIN}" password="{password}"'
    scram = f'{_LOGIN}.scram.ScramLoginModule required username="{ADMIN}" password="{password}";'
    return {
        "listener.security.protocol.map": "PLAINTEXT:SASL_SSL,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": f'{plain} user_{ADMIN}="{password}";',
        f"{listener}.sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
        f"{listener}.scram-sha-512.sasl.jaas.config": scram,
        f"{listener}.oauthbearer.sasl.jaas.config": f"{_LOGIN}.oauthbearer.OAuthBearerLoginModule required;",
        f"{listener}.oauthbearer.sasl.server.callback.handler.class": (
            f"{_LOGIN}.oauthbearer.OAuthBearerValidatorCallbackHandler"
        ),
        f"{listener}.sasl.oauthbearer.jwks.endpoint.url": f"{issuer}/keys",
        f"{listener}.sasl.oauthbearer.expected.audience": "notes",
        f"{listener}.sasl.oauthbearer.expected.issuer": issuer,
        f"{listener}.ssl.keystore.type": "PEM",
        f"{listener}.ssl.keystore.location": whole,
        f"{listener}.ssl.truststore.type": "PEM",
        f"{listener}.ssl.truststore.location": alone,
        f"{listener}.connections.max.reauth.ms": reauthenticate_ms,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN}",
    }


def cluster(address: str, authority: Path, username: str, password: str) -> Cluster:
    """Return what a client by SCRAM is made with."""
    tls = ssl.create_default_context(cafile=authority)
    return Cluster(address, "SASL_SSL", "SCRAM-SHA-512", username, password, tls)


async def answers(administrator: Cluster) -> None:
    """Raise until the broker does."""
    await close(await started(AIOKafkaAdminClient(**administrator.client()), 5.0))


async def set_passwords(administrator: Cluster, passwords: dict[str, str]) -> None:
    """Make users of SCRAM, or give them other passwords; return when the broker goes by them."""
    salt = b"salt-of-the-tests"
    wanted = [
        (name, _SCRAM_SHA_512, _ITERATIONS, salt, hashlib.pbkdf2_hmac("sha512", word.encode(), salt, _ITERATIONS), {})
        for name, word in passwords.items()
    ]
    await _ask(administrator, [_AlterScram(wanted)])
    for name, word in passwords.items():
        while True:  # the broker learns of a change only after it was acknowledged
            try:
                await answers(replace(administrator, username=name, password=word))
                break
            except Exception:  # noqa: BLE001 - it does not know the password yet
                await asyncio.sleep(0.05)


async def grant(administrator: Cluster, given: Iterable[Right]) -> None:
    """Let principals do what the page says, and nothing else."""
    await _ask(
        administrator,
        [
            CreateAclsRequest(
                one.kind,
                one.name,
                _PREFIXED if one.prefixed else _LITERAL,
                f"User:{one.principal}",
                "*",
                OPERATIONS[operation],
                _ALLOW,
            )
            for one in given
            for operation in one.operations
        ],
    )


async def _ask(administrator: Cluster, requests: Iterable[Any]) -> None:
    admin: Any = await started(AIOKafkaAdminClient(**administrator.client()))
    try:
        for request in requests:
            answer = await admin._client.send(1, request)
            told = getattr(answer, "creation_responses", None) or [one[1:] for one in answer.results]
            for code, *reason in told:
                if code:
                    raise for_code(code)(str(reason))
    finally:
        await close(admin)


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


class _AlterScram(Request[_AlterScram_v0]):  # type: ignore[misc]
    API_KEY = 51

    def __init__(self, upsertions: list[tuple[Any, ...]]) -> None:
        self.upsertions = upsertions

    def build(self, request_struct_class: type[_AlterScram_v0]) -> _AlterScram_v0:
        return request_struct_class([], self.upsertions, {})
