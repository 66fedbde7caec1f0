"""The brokers' addresses and what they ask of a client. Every Kafka client of a process is made from a Cluster."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import httpx
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError
from faststream.security import BaseSecurity, SASLOAuthBearer, SASLPlaintext, SASLScram256, SASLScram512
from pydantic import AfterValidator, Field, SecretStr, model_validator

from notes_chassis.access.authentication import AccessSettings
from notes_chassis.access.client import ClientCredentials, NoToken
from notes_chassis.settings import Text

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
RETRY_S: Final = 2.0
_WITH_PASSWORD: Final = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


def split(text: str) -> list[str]:
    """Return the addresses in `host:port,host:port`. Raises ValueError with a sentence."""
    addresses = [address.strip() for address in text.split(",")]
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536 or set(host) & set(" /@"):
            raise ValueError(f"{address!r} is not host:port; several are separated by commas")
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise ValueError(f"{address!r} is not host:port; an IPv6 address stands in brackets")
    return addresses


Bootstrap = Annotated[str, AfterValidator(lambda text: ",".join(split(text)))]
"""A setting that holds brokers' addresses, separated by commas and nothing else."""


@dataclass(frozen=True)
class Cluster:
    """The brokers' addresses, `host:port` separated by commas, and the credentials that a client has for them."""

    addresses: str
    protocol: SecurityProtocol = "PLAINTEXT"
    mechanism: SaslMechanism | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    tokens: AbstractTokenProvider | None = None
    """For OAUTHBEARER."""

    def client(self) -> dict[str, Any]:
        """Return the arguments for aiokafka's clients: producers, consumers and administrators."""
        options = {"bootstrap_servers": self.addresses, "security_protocol": self.protocol, "ssl_context": self.tls}
        if self.mechanism is not None:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
                "sasl_oauth_token_provider": self.tokens,
            }
        return options

    def broker(self) -> dict[str, Any]:
        """Return the arguments for FastStream's broker, which has other names for the same."""
        security: BaseSecurity | None = None
        tls: dict[str, Any] = {"ssl_context": self.tls, "use_ssl": self.tls is not None}
        if self.mechanism == "OAUTHBEARER":
            security = SASLOAuthBearer(**tls)
        elif self.mechanism is not None:
            security = _WITH_PASSWORD[self.mechanism](username=self.username or "", password=self.password or "", **tls)
        elif self.tls is not None:
            security = BaseSecurity(**tls)
        addresses = split(self.addresses)  # FastStream takes a text for one address
        return {"bootstrap_servers": addresses, "security": security, "sasl_oauth_token_provider": self.tokens}


class TokenUnavailable(KafkaConnectionError):  # type: ignore[misc]
    """The issuer gave no token; the text names the issuer and the reason.

    aiokafka takes it for a broker that is away, and tries again.
    """


@dataclass(slots=True)
class KafkaTokens(AbstractTokenProvider):  # type: ignore[misc]
    """The service's token for OAUTHBEARER, the same for all clients of the process.

    However many clients try again, an issuer that fails, or whose tokens brokers refuse, is asked once in RETRY_S.
    """

    credentials: ClientCredentials
    clock: Callable[[], float] = time.monotonic
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _failure: str = ""
    _failed_at: float = float("-inf")
    _refused_at: float = float("-inf")

    async def token(self) -> str:
        """Return a token. Raises TokenUnavailable: any other kind of error would end aiokafka's tasks.

        While an issuer that has failed is asked again, other callers do not wait for its answer: a caller with a
        shorter timeout than the issuer's would never learn why there is no token.
        """
        if self._failure and self._asking.locked():
            raise TokenUnavailable(self._failure)
        async with self._asking:
            if self.clock() - self._failed_at >= RETRY_S:
                try:
                    token = await self.credentials.token()
                except NoToken as error:
                    self._failure = f"{self.credentials.issuer}: {error}"
                    self._failed_at = self.clock()
                else:
                    self._failure = ""
                    return token
            raise TokenUnavailable(self._failure)

    def refused(self) -> None:
        """Ask for another token next time: a broker refused this one."""
        if self.clock() - self._refused_at >= RETRY_S:
            self._refused_at = self.clock()
            self.credentials.forget()


Secret = Annotated[SecretStr, Field(min_length=1)]


class KafkaSettings(AccessSettings):
    """The settings `NOTES_KAFKA` and `NOTES_KAFKA_<NAME>`, the same for every service."""

    kafka: Bootstrap = "127.0.0.1:9092"
    """Bootstrap servers, `host:port`, separated by commas."""
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_sasl_mechanism: SaslMechanism | None = None
    kafka_username: Text | None = None
    kafka_password: Secret | None = None
    kafka_ssl_cafile: Path | None = None
    """Certificates of the authorities that the brokers' are checked against; the system's if absent."""
    kafka_ssl_certfile: Path | None = None
    """The service's own certificate, if the brokers ask for one; its key is in `kafka_ssl_keyfile`."""
    kafka_ssl_keyfile: Path | None = None
    kafka_client_id: Text | None = None
    """The client that asks the issuer for tokens (OAUTHBEARER), with `kafka_client_secret`."""
    kafka_client_secret: Secret | None = None
    kafka_session_ms: int = Field(default=15_000, ge=6_000)
    """How long a group waits for a silent consumer before it gives its partitions to another."""

    @model_validator(mode="after")
    def _kafka_fits_together(self) -> Self:
        protocol, mechanism = self.kafka_security_protocol, self.kafka_sasl_mechanism
        user, client = ("kafka_username", "kafka_password"), ("kafka_client_id", "kafka_client_secret")
        if not protocol.startswith("SASL_"):
            # Else the client would not authenticate, though somebody has configured how.
            self._refuse(("kafka_sasl_mechanism", *user, *client), "SASL_SSL or SASL_PLAINTEXT")
        elif mechanism is None:
            raise ValueError(f"NOTES_KAFKA_SECURITY_PROTOCOL={protocol} needs NOTES_KAFKA_SASL_MECHANISM")
        else:
            names = (*client, "oidc_issuer") if mechanism == "OAUTHBEARER" else user
            if missing := [f"NOTES_{name.upper()}" for name in names if getattr(self, name) is None]:
                raise ValueError(f"NOTES_KAFKA_SASL_MECHANISM={mechanism} needs {' and '.join(missing)}")
        files = ("kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile")
        if not protocol.endswith("SSL"):
            self._refuse(files, "SSL or SASL_SSL")
        for name in files:
            if (path := getattr(self, name)) is not None and not path.is_file():
                raise ValueError(f"NOTES_{name.upper()}: there is no such file")
        if self.kafka_ssl_keyfile is not None and self.kafka_ssl_certfile is None:
            raise ValueError("NOTES_KAFKA_SSL_KEYFILE needs NOTES_KAFKA_SSL_CERTFILE")
        if protocol.endswith("SSL"):
            self._tls()
        return self

    def _refuse(self, names: Iterable[str], protocols: str) -> None:
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"NOTES_{name.upper()} is set, so NOTES_KAFKA_SECURITY_PROTOCOL must be {protocols}")

    def _tls(self) -> ssl.SSLContext:
        """Return the context. Raises ValueError with a sentence."""
        try:
            context = ssl.create_default_context(cafile=self.kafka_ssl_cafile)
        except (ssl.SSLError, OSError):
            raise ValueError("NOTES_KAFKA_SSL_CAFILE: the file holds no certificates that can be read") from None
        if self.kafka_ssl_certfile is not None:
            try:
                # A key with a password would be asked for on a terminal.
                context.load_cert_chain(self.kafka_ssl_certfile, self.kafka_ssl_keyfile, password=lambda: b"")
            except (ssl.SSLError, OSError, ValueError):
                raise ValueError(
                    "NOTES_KAFKA_SSL_CERTFILE: certificate and key cannot be read, or are no pair"
                ) from None
        return context

    def cluster(self) -> Cluster:
        """Return the cluster that the settings name. Call it once: its clients share one TLS context and one token."""
        return Cluster(
            self.kafka,
            self.kafka_security_protocol,
            self.kafka_sasl_mechanism,
            self.kafka_username,
            None if self.kafka_password is None else self.kafka_password.get_secret_value(),
            self._tls() if self.kafka_security_protocol.endswith("SSL") else None,
            self._tokens(),
        )

    def _tokens(self) -> KafkaTokens | None:
        if self.kafka_client_secret is None:
            return None
        # No proxy, as for the issuer's keys. Tokens are asked for rarely, so no connection stays open for them.
        limits = httpx.Limits(max_keepalive_connections=0)
        client = httpx.AsyncClient(verify=ssl.create_default_context(), trust_env=False, limits=limits)
        credentials = ClientCredentials(
            client,
            self.oidc_issuer or "",  # not empty, see _kafka_fits_together
            self.oidc_audience or "",
            self.kafka_client_id or "",
            self.kafka_client_secret.get_secret_value(),
            scope="",
        )
        return KafkaTokens(credentials)
