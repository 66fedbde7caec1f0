"""Settings from the environment, and what is said where they cannot be used."""

import sys
from collections.abc import Callable
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings

from notes_chassis import logs
from notes_chassis.postgres_url import connect_arguments

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
S = TypeVar("S", bound=BaseSettings)


class SettingsError(Exception):
    """A setting cannot be used. The text names it, says what is expected, and quotes nothing of it."""


def _level(given: object) -> str:
    level = str(given).lower()
    if level not in LEVELS:
        raise ValueError(f"one of {', '.join(LEVELS)} is expected")
    return level


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        well = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        well = False
    if not well:
        raise ValueError("an address such as http://host:port is expected")
    return url


def _postgres_url(url: str) -> str:
    connect_arguments(url)
    return url


Port = Annotated[int, Field(ge=0, le=65535)]
LogLevel = Annotated[str, BeforeValidator(_level)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]


def read(settings: type[S], level: Callable[[S], str]) -> S | None:
    """Return the settings, with logging set up by them; None after saying what is wrong with the environment."""
    try:
        found = settings()
    except ValidationError as errors:
        prefix = settings.model_config.get("env_prefix", "")
        for error in errors.errors(include_url=False, include_input=False, include_context=False):
            name = "_".join(map(str, error["loc"])).upper()
            complain(f"{prefix}{name}: {error['msg'].removeprefix('Value error, ')}")
        return None
    logs.configure(level(found))
    return found


def complain(sentence: str) -> None:
    """Say on standard error why nothing was begun: there may be no log yet."""
    print(sentence, file=sys.stderr)  # noqa: T201
