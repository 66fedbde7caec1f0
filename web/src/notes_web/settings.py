"""What can be set from outside, and what it is when nobody sets it."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, model_validator

from notes_chassis.http.limits import HttpLimits
from notes_chassis.settings import Host, HttpUrl, LogLevel, Port, Text, read

# Of each address the origin goes into the Content-Security-Policy, where `;` and spaces have a meaning.
_ADDRESS: Final = re.compile(r"(https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?)(?:/[^\s?#]*)?")


def _address(url: str) -> str:
    if not _ADDRESS.fullmatch(url):
        raise ValueError("an address such as https://host or https://host:port/path is expected")
    return url.rstrip("/")


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address of these settings."""
    found = _ADDRESS.fullmatch(url)
    assert found is not None
    return found[1].lower()


Address = Annotated[HttpUrl, AfterValidator(_address)]


class Settings(HttpLimits):
    """Settings of the page's server, read once from `NOTES_<FIELD>`, or the file that `NOTES_<FIELD>_FILE` names."""

    web_host: Host = "127.0.0.1"
    web_port: Port = 8082
    web_command_url: Address = "http://127.0.0.1:8081"
    """Where browsers reach command-service."""
    web_query_url: Address = "http://127.0.0.1:8080"
    """Where browsers reach query-service."""

    auth: Literal["oidc", "none"] = "oidc"
    """Whether people log in, as both services have it."""
    oidc_issuer: HttpUrl | None = None
    """Where people log in, exactly as tokens name it. Its sign-in endpoints have to be of the same origin."""
    web_client_id: Text | None = None
    """The name under which the issuer knows the page: a public client, with the redirect URI `<page>/callback`."""
    web_scope: Text = "openid notes.read notes.write notes.admin"
    """What the page asks the issuer for; somebody who may not administer is given less."""
    web_log_level: LogLevel = "info"

    @model_validator(mode="after")
    def _login_is_whole(self) -> "Settings":
        if self.auth == "oidc" and (self.oidc_issuer is None or self.web_client_id is None):
            raise ValueError(
                "NOTES_OIDC_ISSUER and NOTES_WEB_CLIENT_ID are needed: NOTES_AUTH is `oidc` unless it is set. "
                "For services that are open to everybody, say NOTES_AUTH=none."
            )
        if self.oidc_issuer is not None:
            _address(self.oidc_issuer)
        return self


def read_settings() -> Settings:
    """Return the settings, with logging set up by them. Raises SettingsError."""
    return read(Settings, lambda settings: settings.web_log_level)
