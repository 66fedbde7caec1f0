"""A broker with SASL_SSL and the access rights of docs/security.md: certificates, users, rights."""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notes_chassis.kafka.clients import close, started
from notes_chassis.kafka.cluster import Cluster
from tests.harness.kafka_scram import alter_scram
from tools.stack.kafka_users import ADMIN, LOGIN, Right, acls, ask, rights

__all__ = ["ADMIN", "rights"]


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
    plain = f'{LOGIN}.plain.PlainLoginModule required username="{ADMIN}" password="{password}"'
    scram = f'{LOGIN}.scram.ScramLoginModule required username="{ADMIN}" password="{password}";'
    return {
        "listener.security.protocol.map": "PLAINTEXT:SASL_SSL,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": f'{plain} user_{ADMIN}="{password}";',
        f"{listener}.sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
        f"{listener}.scram-sha-512.sasl.jaas.config": scram,
        f"{listener}.oauthbearer.sasl.jaas.config": f"{LOGIN}.oauthbearer.OAuthBearerLoginModule required;",
        f"{listener}.oauthbearer.sasl.server.callback.handler.class": (
            f"{LOGIN}.oauthbearer.OAuthBearerValidatorCallbackHandler"
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
    await ask(administrator.client(), [alter_scram(passwords)])
    for name, word in passwords.items():
        while True:  # the broker learns of a change only after it was acknowledged
            try:
                await answers(replace(administrator, username=name, password=word))
                break
            except Exception:  # noqa: BLE001 - it does not know the password yet
                await asyncio.sleep(0.05)


async def grant(administrator: Cluster, given: Iterable[Right]) -> None:
    """Let principals do what the page says, and nothing else."""
    await ask(administrator.client(), [one for right in given for one in acls(right)])
