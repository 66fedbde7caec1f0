"""Who asks: what a bearer token says, once its signature, issuer, audience and times were checked."""

import asyncio
import base64
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from notes_chassis.access.key_set import ALLOWED, KID_MAX, Key
from notes_chassis.access.keys import SigningKeys
from notes_chassis.http.body import Places

TOKEN_BYTES: Final = 8 * 1024
"""The largest token that is looked at."""
LEEWAY_S: Final = 60.0
"""How far the issuer's clock may be from ours."""
SUBJECT_MAX: Final = 256
"""Characters of `sub`."""
MOST_CACHED: Final = 10_000
"""Verified tokens that are remembered, those that came last. To note which were used last would cost each request."""
MOST_SCOPES: Final = 100
"""Scopes of a token that is remembered: 10,000 times as many as fit in one would be gigabytes."""
_LATEST: Final = 2**53
_is_jwt: Final = re.compile(rb"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII).fullmatch


class InvalidToken(Exception):
    """The token is not one that is accepted here. The text says why, and quotes nothing of it."""


class KeysMissing(Exception):
    """Nobody can tell, since the issuer's keys were never read."""


class Caller(NamedTuple):
    """Who asks: `sub` of the token, `user` or `service_account`, what they may do, and until when.

    `expires_at` is Unix time; `withdrawn` is set if the token's key goes before.
    """

    id: str
    type: str
    scopes: frozenset[str]
    expires_at: float
    withdrawn: asyncio.Event


def seconds_left(caller: Caller) -> float:
    """Return the seconds for which something that goes on may go on; what began late ends with the leeway."""
    left = caller.expires_at - time.time()
    return left if left > 0 else max(0.0, left + LEEWAY_S)


@dataclass(slots=True)
class Tokens:
    """Verifies tokens, and remembers those that were good by their hash.

    Who names an unknown key takes one of the `places` while it is looked for. Nobody else waits while the issuer hangs.
    """

    issuer: str
    audience: str
    keys: SigningKeys
    places: Places
    clock: Callable[[], float] = time.time
    _verified: OrderedDict[bytes, Caller] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.keys.changed = self._verified.clear  # what a withdrawn key has signed is not good any more

    def cached(self, token: bytes) -> Caller | None:
        """Return who asks, if the token was verified before and has not expired since."""
        digest = sha256(token).digest()
        caller = self._verified.get(digest)
        if caller is None:
            return None
        if self.clock() >= caller.expires_at + LEEWAY_S:
            del self._verified[digest]
            return None
        return caller

    async def verify(self, token: bytes) -> Caller:
        """Return who asks. Raises InvalidToken, KeysMissing while no keys are there, and Refusal as Places does."""
        algorithm, kid = _header(token)
        if not self.keys.known:
            raise KeysMissing
        if not self.keys.known.knows(kid):
            with self.places.one():
                await self.keys.look_for_unknown()
        key = self.keys.known.key(kid, algorithm)
        if key is None:
            raise InvalidToken("no key of the issuer is known for this token")
        caller = self._caller(_payload(token, key), key)
        if len(caller.scopes) <= MOST_SCOPES:
            self._verified[sha256(token).digest()] = caller
        if len(self._verified) > MOST_CACHED:
            self._verified.popitem(last=False)
        return caller

    def _caller(self, claims: dict[str, Any], key: Key) -> Caller:
        now = self.clock()
        expires_at, not_before = _time(claims, "exp"), _time(claims, "nbf")
        audience = claims.get("aud")
        if claims.get("iss") != self.issuer:
            raise InvalidToken("the token is of another issuer")
        if audience != self.audience and not (isinstance(audience, list) and self.audience in audience):
            raise InvalidToken("the token is for another audience")
        if expires_at is None:
            raise InvalidToken("the token does not say when it expires")
        if now >= expires_at + LEEWAY_S:
            raise InvalidToken("the token has expired")
        if not_before is not None and now < not_before - LEEWAY_S:
            raise InvalidToken("the token is not valid yet")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MAX or not subject.isprintable():
            raise InvalidToken("the token does not say of whom it is")
        itself = subject in (claims.get("azp"), claims.get("client_id"))
        return Caller(subject, "service_account" if itself else "user", _scopes(claims), expires_at, key.withdrawn)


def _header(token: bytes) -> tuple[str, str | None]:
    """Return algorithm and key name of a token that may be looked at, out of its header. Raises InvalidToken."""
    if len(token) > TOKEN_BYTES:
        raise InvalidToken(f"the token is larger than {TOKEN_BYTES} bytes")
    try:
        header = from_json(base64.urlsafe_b64decode(token.partition(b".")[0] + b"==")) if _is_jwt(token) else None
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise InvalidToken("the token is not a signed JWT")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALLOWED:
        raise InvalidToken(f"the token is not signed by one of {', '.join(sorted(ALLOWED))}")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= KID_MAX):
        raise InvalidToken("the token names no key")
    return algorithm, kid


def _payload(token: bytes, key: Key) -> dict[str, Any]:
    from notes_chassis.access.signatures import signed  # noqa: PLC0415 - loaded with the first key

    text = signed(token, key.public, key.algorithms)
    try:
        claims = None if text is None else from_json(text, allow_inf_nan=False)
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise InvalidToken("the token's signature does not hold" if text is None else "the token is not a signed JWT")
    return claims


def _time(claims: dict[str, Any], name: str) -> float | None:
    """Return the Unix time of a claim, None without it. Raises InvalidToken."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise InvalidToken(f"`{name}` of the token is not a time")
    return float(value)


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return what is in `scope`, words in a string, and in `scp`, the same or a list."""
    found: set[str] = set()
    for value in (claims.get("scope"), claims.get("scp")):
        if isinstance(value, str):
            found.update(value.split(" "))
        elif isinstance(value, list):
            found.update(one for one in value if isinstance(one, str))
    return frozenset(found)
