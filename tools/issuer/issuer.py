"""Keys, tokens and logins of the issuer for development."""

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE: Final = "notes"
SCOPES: Final = ("notes.read", "notes.write", "notes.admin")
LASTS_S: Final = 600
CODE_S: Final = 60.0
ALGORITHMS: Final[dict[str, tuple[Callable[[], Any], Any]]] = {
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
}


class RequestError(Exception):
    """What was asked for is not given; `args` are OAuth's code of the error and the status."""


class Key:
    """A private key, and its public part as a JWKS shows it."""

    def __init__(self, algorithm: str) -> None:
        make, kind = ALGORITHMS[algorithm]
        self.algorithm, self.kid, self.private = algorithm, uuid4().hex[:8], make()
        public = kind.to_jwk(self.private.public_key(), as_dict=True)
        self.jwk = {**public, "kid": self.kid, "alg": algorithm, "use": "sig", "key_ops": ["verify"]}


@dataclass
class Login:
    """What a code, or a refresh token, may be exchanged for, once."""

    name: str
    scope: str
    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str = ""
    until: float = field(default_factory=lambda: time.time() + CODE_S)


@dataclass
class Issuer:
    """Keys, the last of which signs, logins under way by their codes, and sessions by their refresh tokens."""

    url: str
    keys: list[Key] = field(default_factory=lambda: [Key("RS256")])
    logins: dict[str, Login] = field(default_factory=dict)
    sessions: dict[str, Login] = field(default_factory=dict)

    def rotate(self, algorithm: str, keep: int) -> None:
        """Sign with a new key from now on; the last `keep` ones are still shown."""
        self.keys = [*self.keys[max(0, len(self.keys) - keep) :], Key(algorithm)]

    def token(self, subject: str, client_id: str, scope: str, lasts_s: int) -> dict[str, Any]:
        """Return what a token endpoint answers; without a scope, the token has all. Raises RequestError."""
        scopes = scope.split() or list(SCOPES)
        if not set(scopes) <= set(SCOPES):
            raise RequestError("invalid_scope", 400)
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": AUDIENCE, "sub": subject, "azp": client_id, "client_id": client_id,
            "scope": " ".join(scopes), "iat": now, "nbf": now, "exp": now + lasts_s, "jti": uuid4().hex,
        }  # fmt: skip
        token = self._sign(claims, "at+jwt")
        return {"access_token": token, "token_type": "Bearer", "expires_in": lasts_s, "scope": claims["scope"]}

    def session(self, login: Login, lasts_s: int) -> dict[str, Any]:
        """Return what a token endpoint answers to a page: an id token, and a refresh token that is good once."""
        refresh, now = secrets.token_urlsafe(), int(time.time())
        self.sessions[refresh] = login
        claims = {"iss": self.url, "aud": login.client_id, "sub": login.name, "iat": now, "exp": now + lasts_s}
        nonce = {"nonce": login.nonce} if login.nonce else {}
        told = {"id_token": self._sign(claims | nonce, "JWT"), "refresh_token": refresh}
        return self.token(login.name, login.client_id, login.scope, lasts_s) | told

    def renew(self, refresh: str) -> Login:
        """Return the login of a refresh token. Raises RequestError."""
        login = self.sessions.pop(refresh, None)
        if login is None:
            raise RequestError("invalid_grant", 400)
        return login

    def log_out(self, id_token: str) -> str:
        """End the sessions of whom an id token names, and return its client. Raises RequestError.

        The token may have expired, and is believed as a name is.
        """
        try:
            claims = jwt.decode(id_token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise RequestError("invalid_request", 400) from None
        self.sessions = {one: login for one, login in self.sessions.items() if login.name != claims["sub"]}
        return str(claims["aud"])

    def _sign(self, claims: dict[str, Any], kind: str) -> str:
        key = self.keys[-1]
        return jwt.encode(claims, key.private, key.algorithm, {"kid": key.kid, "typ": kind})

    def log_in(self, login: Login) -> str:
        """Return the code for a login."""
        code = secrets.token_urlsafe()
        self.logins[code] = login
        return code

    def redeem(self, code: str, redirect_uri: str, verifier: str) -> Login:
        """Return the login of a code, which is good for one try (RFC 7636). Raises RequestError."""
        login = self.logins.pop(code, None)
        challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = (redirect_uri, challenge)
        if login is None or (login.redirect_uri, login.challenge) != asked or login.until < time.time():
            raise RequestError("invalid_grant", 400)
        return login
