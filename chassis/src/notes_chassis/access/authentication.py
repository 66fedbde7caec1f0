"""Authentication as a service's settings say it."""

import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import structlog

from notes_chassis.access.client import ClientCredentials
from notes_chassis.access.keys import SigningKeys, key_source
from notes_chassis.access.settings import AccessSettings
from notes_chassis.access.tokens import Tokens
from notes_chassis.health import Health

log = structlog.get_logger()

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Authentication(NamedTuple):
    """What checks tokens. `keep_keys` runs for ever beside it; `client` speaks to the issuer until it is closed."""

    tokens: Tokens
    keep_keys: Callable[[], Awaitable[None]]
    client: httpx.AsyncClient

    def as_client(self, client_id: str, client_secret: str, scope: str) -> ClientCredentials:
        """Return what gets tokens for the service itself."""
        return ClientCredentials(self.client, self.tokens.issuer, self.tokens.audience, client_id, client_secret, scope)


def authentication(settings: AccessSettings, health: Health) -> Authentication | None:
    """Return it, not connected yet; None where anybody may do everything, which the log says.

    Raises SettingsError if `oidc` is set, as it is by default, without issuer and audience.
    """
    if settings.auth == "none":
        log.warning(
            "authentication is off: whoever reaches this service may read, write and administer", setting="NOTES_AUTH"
        )
        return None
    issuer, audience = settings.issuer_and_audience()
    parts = urlsplit(issuer)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        log.warning(
            "the issuer's keys are fetched in the clear: whoever is on the way can put others in", issuer=issuer
        )
    # Straight there: no proxy of the environment, no redirect. SSL_CERT_FILE names authorities of one's own.
    client = httpx.AsyncClient(verify=ssl.create_default_context(), trust_env=False)
    keys = SigningKeys(key_source(client, issuer, settings.oidc_jwks), health)
    return Authentication(Tokens(issuer, audience, keys), keys.run, client)
