"""Settings from the environment and from files, and the errors of those that cannot be used."""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from notes_chassis import logs
from notes_chassis.postgres_url import connect_arguments
from notes_chassis.terminal import complain

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
FILE_BYTES: Final = 64 * 1024
"""Size of a setting that is read from a file, at most."""
S = TypeVar("S", bound=BaseSettings)
Command = Callable[[argparse.Namespace], int]
"""Runs a command of the command line; returns the exit code."""


class SettingsError(Exception):
    """A setting cannot be used. The text names it and says what is expected, without its value."""


class _Files(PydanticBaseSettingsSource):
    """Settings whose value stands in the file that `<NAME>_FILE` names, as orchestrators mount secrets.

    The environment of a process can be read by more people than a file, and is handed on to its children.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        name = f"{self.config.get('env_prefix', '')}{field_name}".upper()
        path = os.environ.get(f"{name}_FILE")
        if path is None:
            return None, field_name, False
        if name in os.environ:
            raise SettingsError(f"{name} and {name}_FILE are both set; one of them is expected")
        try:
            with Path(path).open("rb") as file:
                content = file.read(FILE_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = getattr(error, "strerror", None) or "not a path"
            raise SettingsError(f"{name}_FILE: the file cannot be read: {reason}") from None
        if len(content) > FILE_BYTES:
            raise SettingsError(f"{name}_FILE: the file holds more than {FILE_BYTES:,} bytes")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SettingsError(f"{name}_FILE: the file is not UTF-8") from None
        return text.removesuffix("\n").removesuffix("\r"), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class ServiceSettings(BaseSettings):
    """Settings named `NOTES_<FIELD>` in the environment, or in a file that `NOTES_<FIELD>_FILE` names."""

    # A value that cannot be used is never shown: it may be a password.
    model_config = SettingsConfigDict(env_prefix="NOTES_", frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' own
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _Files(settings_cls)


def _level(given: object) -> str:
    level = str(given).lower()
    if level not in LEVELS:
        raise ValueError(f"one of {', '.join(LEVELS)} is expected")
    return level


def http_url(url: str) -> str:
    """Return the address if it is a URL of HTTP. Raises ValueError."""
    try:
        parts = urlsplit(url)
        ok = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        ok = False
    if not ok:
        raise ValueError("an address such as http://host:port is expected")
    return url


def _postgres_url(url: str) -> str:
    connect_arguments(url)
    return url


def _text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("a printable text is expected")
    return text


def _host(host: str) -> str:
    if not host.isprintable() or set(host) & set(" /@") or not host:
        raise ValueError("a host's name or address is expected; 0.0.0.0 is every IPv4 address of this machine")
    return host


def ports_differ(settings: BaseModel, service: str) -> None:
    """Raise ValueError with a sentence if the ports of users and of operators are the same. 0 is any free one."""
    port, ops = f"{service}_port", f"{service}_ops_port"
    if getattr(settings, port) == getattr(settings, ops) != 0:
        raise ValueError(f"NOTES_{port.upper()} and NOTES_{ops.upper()} are the same port; each needs one of its own")


Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0.001, allow_inf_nan=False)]
"""At least a millisecond: a driver that counts in milliseconds would take less for 0, which means no limit."""
Text = Annotated[str, AfterValidator(_text)]
"""A text that is not empty: `NAME=$UNSET` in a script is a mistake."""
Host = Annotated[str, AfterValidator(_host)]
"""Where to listen. Empty would be every address of the machine."""
LogLevel = Annotated[str, BeforeValidator(_level)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]


def read(settings: type[S], level: Callable[[S], str]) -> S:
    """Return the settings, and configure logging by them. Raises SettingsError with a line for each that is wrong."""
    try:
        found = settings()
    except ValidationError as errors:
        prefix = settings.model_config.get("env_prefix", "")
        lines = []
        for error in errors.errors(include_url=False, include_input=False, include_context=False):
            # The error of several settings together has no `loc`: its message names them.
            names = "".join(f"{prefix}{name}: ".upper() for name in error["loc"][:1])
            lines.append(names + error["msg"].removeprefix("Value error, "))
        raise SettingsError("\n".join(lines)) from None
    logs.configure(level(found))
    return found


def run(commands: Mapping[str, Command], arguments: argparse.Namespace) -> int:
    """Run the command that was given; return its exit code, 2 if settings cannot be used, which are printed."""
    try:
        return commands[arguments.command](arguments)
    except SettingsError as error:
        complain(str(error))
        return 2
