"""What is said where the environment cannot be used."""

import os
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from notes_chassis.http.limits import HttpLimits
from notes_chassis.settings import HttpUrl, LogLevel, Port, PostgresUrl, ServiceSettings, SettingsError, read, run


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="NOTES_", frozen=True, extra="ignore")

    port: Port = 80
    log_level: LogLevel = "info"
    url: HttpUrl | None = None
    postgres: PostgresUrl = "postgresql://"


def found(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    monkeypatch.setattr("notes_chassis.logs.configure", lambda _: None)
    for name in [name for name in os.environ if name.startswith("NOTES_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(f"NOTES_{name}", value)
    return read(Settings, lambda settings: settings.log_level)


def test_a_level_is_taken_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = found(monkeypatch, LOG_LEVEL="WARNING", URL="https://notes:secret@h:1/x")
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
def test_what_cannot_be_used_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as unusable:
        found(monkeypatch, **{name: value})
    (line,) = str(unusable.value).splitlines()
    assert line.startswith(f"NOTES_{name}: ")
    assert "secret" not in line


@pytest.mark.parametrize(("together", "well"), [("2999999", False), ("3000000", True)])
def test_a_body_has_to_fit_into_what_all_bodies_may_take(
    monkeypatch: pytest.MonkeyPatch, *, together: str, well: bool
) -> None:
    monkeypatch.setattr("notes_chassis.logs.configure", lambda _: None)
    monkeypatch.setenv("NOTES_HTTP_BODY_BYTES", "3000000")
    monkeypatch.setenv("NOTES_HTTP_BODIES_BYTES", together)
    said = "NOTES_HTTP_BODIES_BYTES must be at least NOTES_HTTP_BODY_BYTES, else a large body never fits"
    with nullcontext() if well else pytest.raises(SettingsError, match=f"^{said}$"):
        read(HttpLimits, lambda _: "info")


class Stored(ServiceSettings):
    postgres: PostgresUrl = "postgresql://"
    port: Port = 80


def stored(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Stored:
    monkeypatch.setattr("notes_chassis.logs.configure", lambda _: None)
    for name in [name for name in os.environ if name.startswith("NOTES_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(f"NOTES_{name}", value)
    return read(Stored, lambda _: "info")


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_setting_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: bytes) -> None:
    (tmp_path / "url").write_bytes(b"\xef\xbb\xbfpostgresql://notes:a b@h/db" + end)
    (tmp_path / "port").write_bytes(b"81" + end)
    settings = stored(monkeypatch, POSTGRES_FILE=f"{tmp_path}/url", PORT_FILE=f"{tmp_path}/port")
    assert settings == Stored(postgres="postgresql://notes:a b@h/db", port=81)


@pytest.mark.parametrize(
    "case",
    [
        ({}, None, "NOTES_POSTGRES_FILE: the file cannot be read: No such file or directory"),
        ({}, b"\xff secret", "NOTES_POSTGRES_FILE: the file is not UTF-8"),
        ({}, b"secret" * 20_000, "NOTES_POSTGRES_FILE: the file holds more than 65,536 bytes"),
        ({}, b"mysql://notes:secret@h/db", "NOTES_POSTGRES: not a PostgreSQL URL: postgresql://"),
        ({"POSTGRES": "postgresql://notes:secret@h"}, b"", "NOTES_POSTGRES and NOTES_POSTGRES_FILE are both set"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    case: tuple[dict[str, str], bytes | None, str],
) -> None:
    environment, content, sentence = case
    if content is not None:
        (tmp_path / "url").write_bytes(content)
    with pytest.raises(SettingsError) as unusable:
        stored(monkeypatch, POSTGRES_FILE=f"{tmp_path}/url", **environment)
    (line,) = str(unusable.value).splitlines()
    assert line.startswith(sentence)
    assert "secret" not in line


def test_an_empty_value_beside_a_file_counts_as_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="both set"):
        stored(monkeypatch, POSTGRES="", POSTGRES_FILE=f"{tmp_path}/url")


def test_what_is_wrong_with_the_environment_is_said_and_the_exit_code_is_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(_: Namespace) -> int:
        return found(monkeypatch, PORT="eighty", LOG_LEVEL="loud").port

    assert run({"serve": serve}, Namespace(command="serve")) == 2
    out, err = capsys.readouterr()
    assert (out, [line.partition(":")[0] for line in err.splitlines()]) == ("", ["NOTES_PORT", "NOTES_LOG_LEVEL"])
