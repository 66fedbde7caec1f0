"""What a service says of itself while it is not ready, as `up` takes it."""

from email.message import Message
from io import BytesIO
from typing import Any
from urllib.error import HTTPError

import pytest
from pydantic_core import to_json

from notes_chassis.health import Health
from notes_chassis.kafka.cluster import KafkaTokens
from tools.kafka_client import client_options
from tools.stack import health
from tools.stack.errors import BuildingError


def ask(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    def answer(url: str, **_: object) -> Any:
        raise HTTPError(url, 503, "Service Unavailable", Message(), BytesIO(body))

    monkeypatch.setattr(health._straight, "open", answer)
    health.check_service("http://127.0.0.1:1")


def body(**troubles: str | None) -> bytes:
    parts = Health()
    for name, reason in troubles.items():
        parts.report(name.replace("_", " "), ok=reason is None, reason=reason)
    return to_json({"ready": False, "parts": parts.as_json()})


def test_read_models_that_are_built_are_a_reason_to_wait(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(BuildingError, match="notes version 2 is not complete yet"):
        ask(monkeypatch, body(mongo=None, read_models="notes version 2 is not complete yet"))


@pytest.mark.parametrize(
    "answer", [body(mongo="away", read_models="notes version 2 is not complete yet"), b"busy", b"[]", b"{}"]
)
def test_anything_else_is_not(monkeypatch: pytest.MonkeyPatch, answer: bytes):
    with pytest.raises(HTTPError):
        ask(monkeypatch, answer)


@pytest.mark.parametrize(
    ("address", "settings", "sentence"),
    [
        ("localhost", {}, "NOTES_KAFKA: 'localhost' is not host:port; several are separated by commas"),
        ("localhost:http", {}, "NOTES_KAFKA: 'localhost:http' is not host:port; several are separated by commas"),
        ("a:1", {"PROTOCOL": "bogus"}, "NOTES_KAFKA_SECURITY_PROTOCOL: Input should be 'PLAINTEXT', 'SSL', 'SASL_"),
        ("a:1", {"PROTOCOL": "SASL_SSL"}, "NOTES_KAFKA_SECURITY_PROTOCOL=SASL_SSL needs NOTES_KAFKA_SASL_MECHANISM"),
    ],
)
def test_kafka_settings_that_cannot_be_used_are_named(address: str, settings: dict[str, str], sentence: str):
    environment = {f"NOTES_KAFKA_SECURITY_{name}": value for name, value in settings.items()}
    assert health.trouble("kafka", address, environment).startswith(f"ValueError: {sentence}")


def test_kafka_is_spoken_to_as_the_services_do():
    oauth = {
        "NOTES_KAFKA": "a:1",
        "NOTES_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "NOTES_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "NOTES_KAFKA_CLIENT_ID": "importer",
        "NOTES_KAFKA_CLIENT_SECRET": "secret",
        "NOTES_OIDC_ISSUER": "http://127.0.0.1:1",
    }
    assert isinstance(client_options(oauth)["sasl_oauth_token_provider"], KafkaTokens)
    assert client_options({"NOTES_KAFKA": "a:1,b:2"}) == {"bootstrap_servers": "a:1,b:2"}
