import httpx
import pytest
from structlog.testing import capture_logs

from notes_chassis.access.authentication import AccessSettings, authentication
from notes_chassis.access.client import ClientCredentials
from notes_chassis.health import Health
from notes_chassis.http.limits import HttpLimits
from notes_chassis.settings import SettingsError, read

OIDC = {"NOTES_OIDC_ISSUER": "https://issuer.example", "NOTES_OIDC_AUDIENCE": "notes"}


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> AccessSettings:
    monkeypatch.delenv("NOTES_AUTH", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return AccessSettings()


@pytest.mark.parametrize("missing", ["NOTES_OIDC_ISSUER", "NOTES_OIDC_AUDIENCE"])
def test_it_is_on_unless_it_was_switched_off_and_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    given = {name: value for name, value in OIDC.items() if name != missing}
    with pytest.raises(SettingsError, match="NOTES_OIDC_ISSUER and NOTES_OIDC_AUDIENCE are needed"):
        authentication(settings(monkeypatch, **given), Health(), HttpLimits())


async def test_with_issuer_and_audience_tokens_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health()
    found = authentication(settings(monkeypatch, **OIDC), health, HttpLimits())
    assert found is not None
    assert (found.tokens.issuer, found.tokens.audience) == ("https://issuer.example", "notes")
    assert not health.ready([])
    await found.client.aclose()


def test_switched_off_by_name_it_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        assert authentication(settings(monkeypatch, NOTES_AUTH="none", **OIDC), Health(), HttpLimits()) is None
    assert [entry["log_level"] for entry in logs] == ["warning"]


@pytest.mark.parametrize(
    ("issuer", "jwks", "hosts"),
    [
        ("http://127.0.0.1:9000", None, []),
        ("http://issuer.example", None, ["issuer.example"]),
        ("https://issuer.example", "http://user:secret@keys.example/jwks", ["keys.example"]),
        ("https://issuer.example", "HTTP://keys.example/jwks", ["keys.example"]),
        ("http://issuer.example", "https://keys.example/jwks", []),
        ("http://issuer.example", "/run/keys.json", []),
    ],
)
async def test_keys_that_come_in_the_clear_are_warned_of_unless_from_this_machine(
    monkeypatch: pytest.MonkeyPatch, issuer: str, jwks: str | None, hosts: list[str]
) -> None:
    given = {**OIDC, "NOTES_OIDC_ISSUER": issuer} | ({} if jwks is None else {"NOTES_OIDC_JWKS": jwks})
    with capture_logs() as logs:
        found = authentication(settings(monkeypatch, **given), Health(), HttpLimits())
    assert [(entry["log_level"], entry["host"]) for entry in logs] == [("warning", host) for host in hosts]
    assert "secret" not in str(logs)
    assert found is not None
    await found.client.aclose()


@pytest.mark.parametrize("issuer", ["https://issuer.example", "http://localhost:9000", "http://issuer.example"])
async def test_a_secret_that_goes_in_the_clear_is_warned_of(issuer: str) -> None:
    async with httpx.AsyncClient() as client:
        with capture_logs() as logs:
            ClientCredentials(client, issuer, "notes", "name", "secret", "")
    assert [entry["host"] for entry in logs] == (["issuer.example"] if issuer == "http://issuer.example" else [])
    assert "secret'" not in str(logs)


@pytest.mark.parametrize(
    ("connections", "waiting", "places"), [(4_000, 1_000, 1_000), (50, 1_000, 12), (4_000, 10, 10), (1, 1, 1)]
)
async def test_who_names_unknown_keys_never_has_most_connections(
    monkeypatch: pytest.MonkeyPatch, connections: int, waiting: int, places: int
) -> None:
    limits = HttpLimits(http_connections=connections, http_waiting=waiting)
    found = authentication(settings(monkeypatch, **OIDC), Health(), limits)
    assert found is not None
    assert found.tokens.places.most == places
    await found.client.aclose()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH", "off"), ("AUTH", ""), ("OIDC_ISSUER", "issuer"), ("OIDC_AUDIENCE", " "), ("OIDC_JWKS", ""),
        ("OIDC_JWKS", "https:/user:secret@host/keys"), ("OIDC_JWKS", "user:secret@host/keys"),
        ("OIDC_JWKS", "ftp://user:secret@host/keys"), ("OIDC_JWKS", "https://"), ("OIDC_JWKS", "file:keys"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"NOTES_{name}", value)
    with pytest.raises(SettingsError, match=f"NOTES_{name}") as error:
        read(AccessSettings, lambda _: "info")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "place",
    ["https://host/keys", "HTTPS://user:secret@host/keys", "/run/a:b.json", "keys/jwks.json", "file:///run/keys"],
)
def test_keys_are_at_an_address_or_in_a_file(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    assert settings(monkeypatch, NOTES_OIDC_JWKS=place).oidc_jwks == place
