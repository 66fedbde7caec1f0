"""An issuer in memory: its keys, its tokens, and whether it answers."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from notes_chassis.access.keys import NotFetched, SigningKeys
from notes_chassis.access.tokens import InvalidToken, Tokens
from notes_chassis.health import Health
from notes_chassis.http.body import Places

ISSUER, AUDIENCE = "https://issuer.example", "notes"
NOW = 1_800_000_000.0
_JWK = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm, "Ed25519": OKPAlgorithm}


@cache
def rsa_key(name: str = "", bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@dataclass
class SigningKey:
    """A private key under a name."""

    kid: str | None
    algorithm: str
    private: Any

    def jwk(self, **more: Any) -> dict[str, Any]:
        found = _JWK[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        named = {} if self.kid is None else {"kid": self.kid}
        return {name: value for name, value in found.items() if name != "key_ops"} | named | {"use": "sig"} | more

    def sign(self, claims: Any, **header: Any) -> str:
        named = {} if self.kid is None else {"kid": self.kid}
        head = {"typ": "JWT", "alg": self.algorithm} | named | header
        signed = f"{encoded(head)}.{encoded(claims)}"
        algorithm = jwt.get_algorithm_by_name("EdDSA" if self.algorithm == "Ed25519" else self.algorithm)
        return f"{signed}.{base64url(algorithm.sign(signed.encode(), self.private))}"

    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_of(algorithm: str, kid: str | None = "one") -> SigningKey:
    if algorithm == "RS256":
        return SigningKey(kid, algorithm, rsa_key(kid or ""))
    if algorithm == "ES256":
        return SigningKey(kid, algorithm, ec.generate_private_key(ec.SECP256R1()))
    return SigningKey(kid, algorithm, ed25519.Ed25519PrivateKey.generate())


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(value: Any) -> str:
    return base64url(value if isinstance(value, bytes) else json.dumps(value).encode())


def hs256(key: bytes, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{base64url(hmac.new(key, signed.encode(), sha256).digest())}"


def claims_of(**claims: Any) -> dict[str, Any]:
    """Return good claims, with these in place of theirs; None leaves one out."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "exp": NOW + 600, "scope": "notes.read"}
    return {name: value for name, value in (good | claims).items() if value is not None}


def bad_tokens(issuer: "Issuer") -> dict[str, str]:
    """Return tokens that nobody may take, by what is wrong with each; the keys of the issuer have to be read."""
    (key,) = issuer.keys
    claims = {"scope": "notes.read notes.write notes.admin"}
    stranger = SigningKey("stranger", "RS256", rsa_key("stranger"))
    return {
        "expired": issuer.token(exp=NOW - 61, **claims).decode(),
        "not valid yet": issuer.token(nbf=NOW + 61, **claims).decode(),
        "wrong audience": issuer.token(aud="other", **claims).decode(),
        "wrong issuer": issuer.token(iss="https://other.example", **claims).decode(),
        "alg none": f"{encoded({'alg': 'none'})}.{encoded(claims_of(**claims))}.",
        "RS256 as HS256": hs256(key.pem(), {"alg": "HS256", "kid": key.kid}, claims_of(**claims)),
        "unknown kid": stranger.sign(claims_of(**claims)),
        "another's signature": stranger.sign(claims_of(**claims), kid=key.kid),
        "garbage": "garbage",
        "too large": "x" * 20_000,
    }


@dataclass
class Issuer:
    """What is asked for keys; `now` is the time of everybody."""

    keys: list[SigningKey] = field(default_factory=lambda: [key_of("RS256")])
    away: bool = False
    document: bytes | None = None
    asked: int = 0
    now: float = NOW
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self.signing = SigningKeys(self.fetch, self.health, clock=lambda: self.now)
        self.tokens = Tokens(ISSUER, AUDIENCE, self.signing, Places(100), clock=lambda: self.now)

    async def fetch(self) -> bytes:
        self.asked += 1
        if self.away:
            raise NotFetched("nobody answers")
        if self.document is not None:
            return self.document
        return json.dumps({"keys": [key.jwk() for key in self.keys]}).encode()

    def token(self, **claims: Any) -> bytes:
        return self.keys[-1].sign(claims_of(**claims)).encode()


async def refused(issuer: Issuer, token: str | bytes) -> str:
    """Return why a token is refused, which it has to be."""
    with pytest.raises(InvalidToken) as error:
        await issuer.tokens.verify(token.encode() if isinstance(token, str) else token)
    return str(error.value)
