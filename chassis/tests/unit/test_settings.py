"""What is said where the environment cannot be used."""

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from notes_chassis.settings import HttpUrl, LogLevel, Port, PostgresUrl, read


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="NOTES_", frozen=True, extra="ignore")

    port: Port = 80
    log_level: LogLevel = "info"
    url: HttpUrl | None = None
    postgres: PostgresUrl = "postgresql://"


def found(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings | None:
    monkeypatch.setattr("notes_chassis.logs.configure", lambda _: None)
    for name, value in environment.items():
        monkeypatch.setenv(f"NOTES_{name}", value)
    return read(Settings, lambda settings: settings.log_level)


def test_a_level_is_taken_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = found(monkeypatch, LOG_LEVEL="WARNING", URL="https://notes:secret@h:1/x")
    assert settings is not None
    assert settings.log_level == "warning"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "loud"),
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("URL", "secret"),
        ("URL", "ftp://secret"),
        ("URL", "http://notes:secret@h:port"),
        ("POSTGRES", "postgresql://notes:secret@h:port/db"),
        ("POSTGRES", "mysql://notes:secret@h/db"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    assert found(monkeypatch, **{name: value}) is None
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"NOTES_{name}: ")
    assert "secret" not in line
