"""Public keys and the signatures that they check, by PyJWT on top of cryptography.

Nothing else imports these two. This file is imported when the first key is read: they take 9 MB and 35 ms, which a
service that checks no tokens saves.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import AllowedPublicKeys, ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

RSA_BITS: Final = range(2048, 8193)

_READERS: Final[Mapping[str, Any]] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}
_jws = PyJWS(algorithms=["RS256", "ES256", "EdDSA"])
_jws.register_algorithm("Ed25519", OKPAlgorithm())  # the name that RFC 9864 gives to what was EdDSA


def public_key(jwk: dict[str, Any]) -> AllowedPublicKeys | None:
    """Return the key of a JWK, given `kty`, `crv` and its numbers; None if it is not a key, or too small or large."""
    try:
        key: AllowedPublicKeys = _READERS[jwk["kty"]].from_jwk(jwk)
    except (ValueError, PyJWTError):
        return None
    return None if isinstance(key, RSAPublicKey) and key.key_size not in RSA_BITS else key


def signed(token: bytes, key: AllowedPublicKeys, algorithms: Collection[str]) -> bytes | None:
    """Return what the token says, None unless the key has signed it with one of the algorithms."""
    try:
        payload: bytes = _jws.decode_complete(token, key, algorithms=sorted(algorithms))["payload"]
    except (PyJWTError, ValueError):  # its text may quote the token
        return None
    return payload
