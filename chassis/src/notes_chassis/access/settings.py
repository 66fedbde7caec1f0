"""Who may ask: the settings of authentication."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator

from notes_chassis.http.browsers import Origins
from notes_chassis.settings import HttpUrl, ServiceSettings, SettingsError, Text

NEEDED: Final = (
    "NOTES_OIDC_ISSUER and NOTES_OIDC_AUDIENCE are needed: NOTES_AUTH is `oidc` unless it is set. "
    "To let in anybody who reaches the port, say NOTES_AUTH=none."
)


def _place(text: str) -> str:
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
