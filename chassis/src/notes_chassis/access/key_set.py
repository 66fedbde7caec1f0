"""A JSON Web Key Set (RFC 7517): which of its keys check tokens, and with which algorithms."""

import asyncio
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json

if TYPE_CHECKING:
    from jwt.algorithms import AllowedPublicKeys

MOST_KEYS: Final = 64
"""Keys of a set that are looked at."""
KID_MAX: Final = 256
"""Characters of a key's name."""

_ALGORITHMS: Final = MappingProxyType(
    {
        ("RSA", None): frozenset({"RS256"}),
        ("EC", "P-256"): frozenset({"ES256"}),
        ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
    }
)
"""What a key of this type and curve may be used for, and nothing else: a public key is never a shared secret."""
_NUMBERS: Final = MappingProxyType({"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)})
ALLOWED: Final = frozenset[str]().union(*_ALGORITHMS.values())


class NoKeys(Exception):
    """The document holds no key that checks tokens. The text quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, and the algorithms that it may be used with."""

    public: "AllowedPublicKeys"
    algorithms: frozenset[str]
    withdrawn: asyncio.Event = field(default_factory=asyncio.Event, compare=False, repr=False)
    """Set once the issuer does not have the key any more."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys by name."""

    by_kid: dict[str | None, tuple[Key, ...]] = field(default_factory=dict)

    def has_same_keys(self, other: "KeySet") -> bool:
        """Return whether the other set has these keys, in whatever order the issuer sends them."""
        named = {kid: (keys, other.by_kid.get(kid, ())) for kid, keys in self.by_kid.items()}
        return len(self) == len(other) and all(
            len(keys) == len(others) and all(key in others for key in keys) for keys, others in named.values()
        )

    def __len__(self) -> int:
        return sum(map(len, self.by_kid.values()))

    def knows(self, kid: str | None) -> bool:
        """Return whether there is a key of that name; a token without a name may be of any key."""
        return kid is None or kid in self.by_kid

    def put_in_place(self, kid: str | None, key: Key) -> bool:
        """Replace an equal key of that name by this object; return whether there was one.

        Streams wait for the `withdrawn` of the key that let them in, so that object has to stay.
        """
        named = self.by_kid.get(kid, ())
        if key not in named:
            return False
        self.by_kid[kid] = tuple(key if other == key else other for other in named)
        return True

    def key(self, kid: str | None, algorithm: str) -> Key | None:
        """Return the key for a token, None if there is none for that algorithm or if it cannot be told which."""
        named = [key for keys in self.by_kid.values() for key in keys] if kid is None else self.by_kid.get(kid, ())
        fitting = [key for key in named if algorithm in key.algorithms]
        return fitting[0] if len(fitting) == 1 or (fitting and kid is not None) else None


def read_key_set(document: bytes) -> KeySet:
    """Return the keys of a JWKS that check tokens; others in it are passed over. Raises NoKeys if there are none."""
    try:
        found = from_json(document, allow_inf_nan=False)
    except ValueError:
        raise NoKeys("what was found is not JSON") from None
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list):
        raise NoKeys("what was found is not a set of keys")
    by_kid: dict[str | None, tuple[Key, ...]] = {}
    for jwk in keys[:MOST_KEYS]:
        kid = jwk.get("kid") if isinstance(jwk, dict) else None
        if isinstance(jwk, dict) and _is_name(kid) and (key := _key(jwk)) is not None:
            by_kid[kid] = (*by_kid.get(kid, ()), key)
    if not by_kid:
        raise NoKeys("what was found holds no key for RS256, ES256 or Ed25519")
    return KeySet(by_kid)


def _is_name(kid: object) -> bool:
    return kid is None or (isinstance(kid, str) and len(kid) <= KID_MAX)


def _key(jwk: dict[str, Any]) -> Key | None:
    """Return the public part of the key, None if it is not for checking signatures of ours."""
    kind, curve, algorithm = jwk.get("kty"), jwk.get("crv"), jwk.get("alg")
    if not (isinstance(kind, str) and isinstance(curve, str | None) and isinstance(algorithm, str | None)):
        return None
    algorithms = _ALGORITHMS.get((kind, None if kind == "RSA" else curve), frozenset())
    if algorithm is not None:
        algorithms &= {algorithm}
    operations = jwk.get("key_ops", ["verify"])
    if not algorithms or jwk.get("use", "sig") != "sig" or not isinstance(operations, list):
        return None
    public = {name: jwk.get(name) for name in _NUMBERS[kind]} | {"kty": kind, "crv": curve}
    if "verify" not in operations or not all(isinstance(public[name], str) for name in _NUMBERS[kind]):
        return None
    from notes_chassis.access.signatures import public_key  # noqa: PLC0415 - loaded with the first key

    read = public_key(public)
    return None if read is None else Key(read, algorithms)
