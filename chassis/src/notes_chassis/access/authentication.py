"""Who may ask: authentication as a service's settings say it."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal, NamedTuple

import httpx
import structlog
from pydantic import AfterValidator

from notes_chassis.access.client import ClientCredentials
from notes_chassis.access.keys import SigningKeys, host_in_the_clear, key_source
from notes_chassis.access.tokens import Tokens
from notes_chassis.health import Health
from notes_chassis.http.body import Places
from notes_chassis.http.browsers import Origins
from notes_chassis.http.limits import HttpLimits
from notes_chassis.settings import HttpUrl, ServiceSettings, SettingsError, Text, http_url

log = structlog.get_logger()

NEEDED: Final = (
    "NOTES_OIDC_ISSUER and NOTES_OIDC_AUDIENCE are needed: NOTES_AUTH is `oidc` unless it is set. "
    "To let in anybody who reaches the port, say NOTES_AUTH=none."
)


def _place(text: str) -> str:
    # `https:/host` and `HTTPS://host` are not files.
    if ":" in text.partition("/")[0] and not text.startswith("file:///"):
        return http_url(text)
    if not text.strip() or "\0" in text:
        raise ValueError("an address such as https://host/keys, or a file, is expected")
    return text


class AccessSettings(ServiceSettings):
    """The settings `NOTES_AUTH` and `NOTES_OIDC_<NAME>`, the same for every service."""

    auth: Literal["oidc", "none"] = "oidc"
    """Whether a token is asked for. With `none` anybody may do everything."""
    oidc_issuer: HttpUrl | None = None
    """What `iss` of a token has to be. Its keys are found by discovery, unless `oidc_jwks` is set."""
    oidc_audience: Text | None = None
    """What `aud` of a token has to hold: the name under which the issuer knows this service."""
    oidc_jwks: Annotated[str, AfterValidator(_place)] | None = None
    """The issuer's keys: an address, or a file."""
    cors_origins: Origins = ()
    """Origins of pages, separated by commas, that may ask from a browser; none by default."""

    def issuer_and_audience(self) -> tuple[str, str]:
        """Return what tokens have to name. Raises SettingsError if it is not set."""
        if self.oidc_issuer is None or self.oidc_audience is None:
            raise SettingsError(NEEDED)
        return self.oidc_issuer, self.oidc_audience


class Authentication(NamedTuple):
    """What checks tokens. `keep_keys` runs for ever beside it; `client` speaks to the issuer until it is closed."""

    tokens: Tokens
    keep_keys: Callable[[], Awaitable[None]]
    client: httpx.AsyncClient

    def as_client(self, client_id: str, client_secret: str, scope: str) -> ClientCredentials:
        """Return what gets tokens for the service itself."""
        return ClientCredentials(self.client, self.tokens.issuer, self.tokens.audience, client_id, client_secret, scope)


def authentication(settings: AccessSettings, health: Health, limits: HttpLimits) -> Authentication | None:
    """Return it, not connected yet; None where anybody may do everything, which the log says.

    Raises SettingsError if `oidc` is set, as it is by default, without issuer and audience.
    """
    if settings.auth == "none":
        log.warning(
            "authentication is off: whoever reaches this service may read, write and administer", setting="NOTES_AUTH"
        )
        return None
    issuer, audience = settings.issuer_and_audience()
    if host := host_in_the_clear(settings.oidc_jwks or issuer):
        log.warning("the issuer's keys are fetched in the clear: whoever is on the way can put others in", host=host)
    # Straight there: no proxy of the environment, no redirect. SSL_CERT_FILE names authorities of one's own.
    client = httpx.AsyncClient(verify=ssl.create_default_context(), trust_env=False)
    keys = SigningKeys(key_source(client, issuer, settings.oidc_jwks), health)
    # While the issuer hangs, those who name unknown keys must not have all connections.
    places = Places(max(1, min(limits.http_waiting, limits.http_connections // 4)))
    return Authentication(Tokens(issuer, audience, keys, places), keys.run, client)
