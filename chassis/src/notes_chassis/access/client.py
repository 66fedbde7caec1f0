"""A token of a service's own, by client credentials (RFC 6749, section 4.4)."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from notes_chassis.access.keys import FETCH_S, NotFetched, endpoint_of, fetched, host_in_the_clear, metadata_of
from notes_chassis.logs import kinds_of

log = structlog.get_logger()

EARLY_S: Final = 30.0
"""Seconds before its end from which a token is not used any more."""
SHORTEST_S: Final = 5.0
"""How long a token is used at least, however soon it ends."""
LONGEST_S: Final = 3600.0


class _Answer(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    access_token: str = Field(pattern=r"^[\x21-\x7e]+$", repr=False)
    expires_in: float = Field(default=0.0, allow_inf_nan=False)


class NoToken(Exception):
    """The issuer gave none. The text says why, and quotes nothing of its answer."""


@dataclass(slots=True)
class ClientCredentials:
    """Asks the issuer for a token, and keeps it until shortly before it expires. Scope and audience may be empty."""

    client: httpx.AsyncClient
    issuer: str
    audience: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False)
    _until: float = float("-inf")
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        if host := host_in_the_clear(self.issuer):
            log.warning("the client's secret is sent in the clear: whoever is on the way can read it", host=host)

    async def token(self) -> str:
        """Return the token. Raises NoToken."""
        async with self._asking:
            if self.clock() >= self._until:
                try:
                    async with asyncio.timeout(FETCH_S):
                        answer = await self._asked()
                except (NotFetched, TimeoutError, ValidationError) as error:
                    said = str(error) if isinstance(error, NotFetched) else kinds_of(error)
                    raise NoToken(f"the issuer gave no token: {said}") from error
                self._token = answer.access_token
                lasts = max(SHORTEST_S, min(LONGEST_S, answer.expires_in - EARLY_S))
                self._until = self.clock() + lasts
            return self._token

    async def header(self) -> dict[str, str]:
        """Return the header of a request. Raises NoToken."""
        return {"Authorization": f"Bearer {await self.token()}"}

    def forget(self) -> None:
        """Ask anew next time: the token was refused."""
        self._until = float("-inf")

    async def _asked(self) -> _Answer:
        endpoint = endpoint_of(await metadata_of(self.client, self.issuer), "token_endpoint")
        form = {"grant_type": "client_credentials", "scope": self.scope, "audience": self.audience}
        given = {name: value for name, value in form.items() if value}
        # RFC 6749, section 2.3.1, has both encoded before they are joined.
        auth = (quote_plus(self.client_id), quote_plus(self.client_secret))
        return _Answer.model_validate_json(await fetched(self.client, endpoint, "POST", data=given, auth=auth))
