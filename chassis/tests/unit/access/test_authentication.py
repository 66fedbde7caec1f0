import pytest
from structlog.testing import capture_logs

from notes_chassis.access.authentication import AccessSettings, authentication
from notes_chassis.health import Health
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
        authentication(settings(monkeypatch, **given), Health())


async def test_with_issuer_and_audience_tokens_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health()
    found = authentication(settings(monkeypatch, **OIDC), health)
    assert found is not None
    assert (found.tokens.issuer, found.tokens.audience) == ("https://issuer.example", "notes")
    assert not health.ready([])
    await found.client.aclose()


def test_switched_off_by_name_it_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        assert authentication(settings(monkeypatch, NOTES_AUTH="none", **OIDC), Health()) is None
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_an_issuer_in_the_clear_is_warned_of_unless_it_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for issuer, warnings in (("http://127.0.0.1:9000", 0), ("http://issuer.example", 1)):
        with capture_logs() as logs:
            found = authentication(settings(monkeypatch, **{**OIDC, "NOTES_OIDC_ISSUER": issuer}), Health())
        assert len(logs) == warnings
        assert found is not None
        await found.client.aclose()


@pytest.mark.parametrize(
    ("name", "value"),
    [("AUTH", "off"), ("AUTH", ""), ("OIDC_ISSUER", "issuer"), ("OIDC_AUDIENCE", " "), ("OIDC_JWKS", "")],
)
def test_what_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"NOTES_{name}", value)
    with pytest.raises(SettingsError, match=f"NOTES_{name}"):
        read(AccessSettings, lambda _: "info")
