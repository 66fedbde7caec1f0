"""How the brokers are spoken to, as the settings say it."""

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from faststream.kafka import KafkaBroker
from faststream.kafka.security import parse_security

from notes_chassis.access.client import ClientCredentials, NoToken
from notes_chassis.kafka.cluster import RETRY_S, KafkaSettings, KafkaTokens, split
from notes_chassis.kafka.fetches import public_reason
from notes_chassis.settings import SettingsError, read

SCRAM = {
    "NOTES_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "NOTES_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "NOTES_KAFKA_USERNAME": "notes-command",
    "NOTES_KAFKA_PASSWORD": "pa55",
}
OAUTH = {
    "NOTES_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "NOTES_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "NOTES_KAFKA_CLIENT_ID": "notes-command",
    "NOTES_KAFKA_CLIENT_SECRET": "secret",
    "NOTES_OIDC_ISSUER": "https://issuer.test",
}


def found(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> KafkaSettings:
    monkeypatch.setattr("notes_chassis.logs.configure", lambda _: None)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read(KafkaSettings, lambda _: "info")


def test_in_the_clear_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = found(monkeypatch, {"NOTES_KAFKA": "a:1, b:2"})
    client = settings.cluster().client()
    assert client == {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT", "ssl_context": None}
    assert settings.cluster().broker()["bootstrap_servers"] == ["a:1", "b:2"]


@pytest.mark.parametrize("environment", [SCRAM, SCRAM | {"NOTES_KAFKA_SASL_MECHANISM": "PLAIN"}, OAUTH])
async def test_faststream_and_aiokafka_are_told_the_same(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    settings = found(monkeypatch, environment)
    cluster = settings.cluster()
    client, broker = cluster.client(), cluster.broker()
    told = parse_security(broker["security"]) | {"sasl_oauth_token_provider": broker["sasl_oauth_token_provider"]}
    assert {key: client[key] for key in told} == told
    assert {key for key, value in client.items() if value is not None} - {"bootstrap_servers"} == {
        key for key, value in told.items() if value is not None
    }
    KafkaBroker(**broker)  # they refuse what they do not know
    await AIOKafkaProducer(**client).stop()
    await AIOKafkaConsumer(**client).stop()


def test_the_certificate_of_a_broker_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = found(monkeypatch, {"NOTES_KAFKA_SECURITY_PROTOCOL": "SSL"})
    context = settings.cluster().client()["ssl_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"NOTES_KAFKA_SECURITY_PROTOCOL": "TLS"}, "NOTES_KAFKA_SECURITY_PROTOCOL: "),
        ({"NOTES_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "needs NOTES_KAFKA_SASL_MECHANISM"),
        ({"NOTES_KAFKA_PASSWORD": "secret"}, "must be SASL_SSL or SASL_PLAINTEXT"),
        (SCRAM | {"NOTES_KAFKA_SECURITY_PROTOCOL": "SSL"}, "must be SASL_SSL or SASL_PLAINTEXT"),
        ({k: v for k, v in SCRAM.items() if "PASSWORD" not in k}, "needs NOTES_KAFKA_PASSWORD"),
        ({k: v for k, v in OAUTH.items() if "ISSUER" not in k}, "needs NOTES_OIDC_ISSUER"),
        ({"NOTES_KAFKA_SSL_CAFILE": __file__}, "must be SSL or SASL_SSL"),
        ({"NOTES_KAFKA_SECURITY_PROTOCOL": "SSL", "NOTES_KAFKA_SSL_CAFILE": "/secret"}, "there is no such file"),
        ({"NOTES_KAFKA_SECURITY_PROTOCOL": "SSL", "NOTES_KAFKA_SSL_CAFILE": __file__}, "no certificates"),
        ({"NOTES_KAFKA_SECURITY_PROTOCOL": "SSL", "NOTES_KAFKA_SSL_CERTFILE": __file__}, "are no pair"),
        ({"NOTES_KAFKA_SECURITY_PROTOCOL": "SSL", "NOTES_KAFKA_SSL_KEYFILE": __file__}, "needs NOTES_KAFKA_SSL_CERT"),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as unusable:
        found(monkeypatch, environment)
    (line,) = str(unusable.value).splitlines()
    assert line.startswith("NOTES_KAFKA_")
    assert words in line
    assert "secret" not in line
    assert "pa55" not in line


def test_a_secret_may_come_from_a_file_and_is_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pa55\n")
    file = {"NOTES_KAFKA_PASSWORD_FILE": str(tmp_path / "password")}
    settings = found(monkeypatch, {k: v for k, v in SCRAM.items() if "PASSWORD" not in k} | file)
    assert settings.cluster().client()["sasl_plain_password"] == "pa55"
    assert "pa55" not in f"{settings!r}{settings.cluster()!r}"


class Credentials(ClientCredentials):
    asked = forgotten = 0
    away = True

    async def token(self) -> str:
        self.asked += 1
        if self.away:
            raise NoToken("the issuer does not answer")
        return "token"

    def forget(self) -> None:
        self.forgotten += 1


async def test_an_issuer_that_is_away_is_named_waited_for_and_not_asked_by_every_client() -> None:
    issuer, now = Credentials(httpx.AsyncClient(), "http://127.0.0.1:1", "", "notes", "secret", ""), 0.0
    tokens = KafkaTokens(issuer, clock=lambda: now)
    for _ in range(9):
        with pytest.raises(KafkaConnectionError) as failed:  # any other kind would end aiokafka's tasks
            await tokens.token()
    assert public_reason(failed.value) == "Kafka: http://127.0.0.1:1: the issuer does not answer"
    assert issuer.asked == 1
    issuer.away, now = False, RETRY_S
    assert await tokens.token() == "token"


async def test_nobody_waits_for_an_issuer_that_has_failed_to_hear_that_it_has() -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    class Slow(Credentials):
        async def token(self) -> str:
            if self.asked:
                asked.set()
                await never.wait()
            return await super().token()

    now = 0.0
    tokens = KafkaTokens(Slow(httpx.AsyncClient(), "http://127.0.0.1:1", "", "notes", "secret", ""), clock=lambda: now)
    with pytest.raises(KafkaConnectionError):
        await tokens.token()
    now = RETRY_S
    asking = asyncio.create_task(tokens.token())
    await asked.wait()
    async with asyncio.timeout(1):
        with pytest.raises(KafkaConnectionError) as failed:
            await tokens.token()
    assert public_reason(failed.value) == "Kafka: http://127.0.0.1:1: the issuer does not answer"
    asking.cancel()


async def test_a_token_that_brokers_refuse_is_replaced_once_in_a_while() -> None:
    issuer, now = Credentials(httpx.AsyncClient(), "http://127.0.0.1:1", "", "notes", "secret", ""), 0.0
    tokens = KafkaTokens(issuer, clock=lambda: now)
    tokens.refused()
    tokens.refused()
    assert issuer.forgotten == 1
    now = RETRY_S
    tokens.refused()
    assert issuer.forgotten == 2


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("a:1", ["a:1"]),
        ("a:1,b:2", ["a:1", "b:2"]),
        (" a.example:9092 ,\tb:2 ", ["a.example:9092", "b:2"]),
        ("[::1]:9092,127.0.0.1:1", ["[::1]:9092", "127.0.0.1:1"]),
    ],
)
def test_addresses_are_separated_by_commas(text: str, addresses: list[str]) -> None:
    assert split(text) == addresses


@pytest.mark.parametrize(
    "text", ["", "a", "a:", ":1", "a:1,", ",a:1", "a:x", "a:0", "a:65536", "::1:9", "k://a:1", "a b:1"]
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        split(text)
