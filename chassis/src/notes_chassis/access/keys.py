"""The issuer's keys: fetched beside the requests, refreshed, and kept while the issuer is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog
from prometheus_client import Gauge
from pydantic_core import from_json

from notes_chassis.access.key_set import KeySet, NoKeys, read_key_set
from notes_chassis.health import Health
from notes_chassis.logs import kind_and_place, kinds_of
from notes_chassis.process import Backoff
from notes_chassis.settings import http_url

log = structlog.get_logger()

DOCUMENT_BYTES: Final = 256 * 1024
"""The largest document that is read from an issuer."""
FETCH_S: Final = 5.0
"""Seconds that the issuer has for everything."""
REFRESH_S: Final = 300.0
"""Seconds between two looks while all is well: a key that was withdrawn is trusted that much longer."""
UNKNOWN_S: Final = 30.0
"""Seconds between two looks for keys that tokens name and that are not known."""
PART: Final = "token keys"
"""The name in readiness."""
KEYS_AGE = Gauge("notes_access_keys_age_seconds", "Seconds since the issuer's keys were last read; NaN: never")

Fetch = Callable[[], Awaitable[bytes]]
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class NotFetched(Exception):
    """The keys could not be fetched. The text says from where and why, and quotes nothing of what was found."""


def key_source(client: httpx.AsyncClient, issuer: str, jwks: str | None) -> Fetch:
    """Return what fetches the issuer's keys: from an address, out of a file, or by discovery. It raises NotFetched."""
    if jwks is None:
        return lambda: _discovered(client, issuer)
    if urlsplit(jwks).scheme in {"http", "https"}:
        return lambda: fetched(client, jwks)
    return lambda: asyncio.to_thread(_of_file, Path(jwks.removeprefix("file://")))


def host_in_the_clear(address: str) -> str | None:
    """Return the host of an address that is asked for unencrypted, None if it is this machine or there is none."""
    parts = urlsplit(address)
    return parts.hostname if parts.scheme == "http" and parts.hostname not in _LOOPBACK else None


async def metadata_of(client: httpx.AsyncClient, issuer: str) -> dict[str, Any]:
    """Return what the issuer says of itself (OpenID Connect Discovery 1.0). Raises NotFetched."""
    document = await fetched(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    try:
        found = from_json(document)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise NotFetched("the metadata are those of another issuer than NOTES_OIDC_ISSUER")
    return found


def endpoint_of(metadata: dict[str, Any], name: str) -> str:
    """Return an address of the metadata; a secure issuer has no others in the clear. Raises NotFetched."""
    try:
        address = http_url(str(metadata.get(name)))
    except ValueError:
        address = ""
    if not address or (metadata["issuer"].startswith("https:") and not address.startswith("https:")):
        raise NotFetched(f"the metadata name no usable {name}")
    return address


async def _discovered(client: httpx.AsyncClient, issuer: str) -> bytes:
    return await fetched(client, endpoint_of(await metadata_of(client, issuer), "jwks_uri"))


async def fetched(client: httpx.AsyncClient, address: str, method: str = "GET", **options: Any) -> bytes:
    """Return what the issuer answers, of which no more than DOCUMENT_BYTES is read. Raises NotFetched."""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        async with client.stream(method, address, headers=headers, **options) as answer:
            if answer.status_code != httpx.codes.OK or "content-encoding" in answer.headers:
                raise NotFetched(f"the issuer answered {answer.status_code}, which is not a plain document")
            found = bytearray()
            async for chunk in answer.aiter_raw():
                found += chunk
                if len(found) > DOCUMENT_BYTES:
                    raise NotFetched(f"the issuer's document is larger than {DOCUMENT_BYTES} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotFetched(f"the issuer does not answer: {kinds_of(error)}") from error
    return bytes(found)


def _of_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(DOCUMENT_BYTES + 1)
    except OSError as error:
        # Not the path: what was meant for an address may hold a password.
        raise NotFetched(f"the file of keys cannot be read: {error.strerror}") from error
    if len(found) > DOCUMENT_BYTES:
        raise NotFetched(f"the file of keys is larger than {DOCUMENT_BYTES} bytes")
    return found


@dataclass(slots=True)
class SigningKeys:
    """The last keys that were read. `changed` is called when others take their place."""

    fetch: Fetch
    health: Health
    changed: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    known: KeySet = field(default_factory=KeySet)
    _read_at: float = float("nan")
    _looked_at: float = float("-inf")
    _looking: asyncio.Task[bool] | None = None
    _failing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.health.report(PART, ok=False, reason="not read yet", unready=True)
        KEYS_AGE.set_function(lambda: self.clock() - self._read_at)

    async def run(self) -> None:
        """Keep the keys fresh until cancelled. After a failed look, by anybody, try again with back-off."""
        backoff = Backoff()
        while True:
            if await self.look():
                backoff.reset()
                with suppress(TimeoutError):
                    async with asyncio.timeout(REFRESH_S):
                        await self._failing.wait()
            else:
                await asyncio.sleep(backoff.next())

    async def look_for_unknown(self) -> None:
        """Read the keys again, because a token names one that is not known; at most every UNKNOWN_S seconds."""
        if self._looking is None:
            if self.clock() - self._looked_at < UNKNOWN_S:
                return
            self._looked_at = self.clock()
        await self.look()

    async def look(self) -> bool:
        """Read the keys; return whether that worked. However many ask, the issuer is asked once."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(FETCH_S):
                found = read_key_set(await self.fetch())
        except (NotFetched, NoKeys) as error:
            return self._failed(str(error))
        except TimeoutError:
            return self._failed(f"the issuer did not answer within {FETCH_S:g} s")
        except Exception as error:  # noqa: BLE001 - whatever an issuer sends, tokens of known keys are good
            return self._failed(f"the keys could not be read: {kind_and_place(error)}")
        finally:
            self._looking = None
        if not found.has_same_keys(self.known):
            log.info("the issuer's keys are other ones now", keys=len(found), before=len(self.known))
            self._take(found)
        self._read_at = self.clock()
        self._failing.clear()
        self.health.report(PART, ok=True)
        return True

    def _take(self, found: KeySet) -> None:
        for kid, keys in self.known.by_kid.items():
            for key in keys:
                if not found.put_in_place(kid, key):
                    key.withdrawn.set()
        self.known = found
        self.changed()

    def _failed(self, reason: str) -> bool:
        log.warning("the issuer's keys were not read", reason=reason, kept=len(self.known))
        self._failing.set()
        self.health.report(PART, ok=False, reason=reason, unready=not self.known)
        return False
