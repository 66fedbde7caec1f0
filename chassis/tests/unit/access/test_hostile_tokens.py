"""What looks like a token and is none, or not ours."""

import json
import random

import pytest

from notes_chassis.access.tokens import TOKEN_BYTES
from tests.harness.issuing import Issuer, base64url, claims_of, encoded, hs256, key_of, refused


@pytest.fixture
async def issuer() -> Issuer:
    issuer = Issuer()
    await issuer.signing.look()
    return issuer


async def test_an_unsigned_token_is_refused(issuer: Issuer) -> None:
    for algorithm in ("none", "None", "nOnE", "", None):
        head = encoded({"alg": algorithm, "kid": "one"})
        assert "not signed by one of" in await refused(issuer, f"{head}.{encoded(claims_of())}.AAAA")
        await refused(issuer, f"{head}.{encoded(claims_of())}.")


async def test_the_public_key_is_no_shared_secret(issuer: Issuer) -> None:
    (key,) = issuer.keys
    for secret in (key.pem(), key.pem().strip(), json.dumps(key.jwk()).encode(), key.jwk()["n"].encode()):
        for header in ({"alg": "HS256"}, {"alg": "HS256", "kid": "one"}, {"alg": "RS256", "kid": "one"}):
            await refused(issuer, hs256(secret, header, claims_of()))


async def test_an_algorithm_fits_its_key() -> None:
    rsa, curve = key_of("RS256", "r"), key_of("ES256", "c")
    issuer = Issuer([rsa, curve])
    await issuer.signing.look()
    await refused(issuer, curve.sign(claims_of(), kid="r"))
    await refused(issuer, rsa.sign(claims_of(), kid="c"))
    await refused(issuer, rsa.sign(claims_of(), alg="ES256", kid="r"))
    await refused(issuer, rsa.sign(claims_of(), alg="PS256"))
    await refused(issuer, rsa.sign(claims_of(), alg="RS512"))


async def test_keys_that_a_token_brings_along_are_not_looked_at(issuer: Issuer) -> None:
    mine = key_of("RS256", "mine")
    for header in ({"jwk": mine.jwk()}, {"jku": "https://evil.example"}, {"x5c": ["AAAA"]}):
        await refused(issuer, mine.sign(claims_of(), **header))
        await refused(issuer, mine.sign(claims_of(), kid="one", **header))


async def test_extensions_that_must_be_understood_are_refused(issuer: Issuer) -> None:
    (key,) = issuer.keys
    for header in ({"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": False}, {"crit": []}, {"b64": False}):
        await refused(issuer, key.sign(claims_of(), **header))


async def test_a_changed_token_is_refused(issuer: Issuer) -> None:
    head, claims, signature = issuer.token().decode().split(".")
    await issuer.tokens.verify(f"{head}.{claims}.{signature}".encode())
    admin = encoded(claims_of(scope="notes.admin"))
    for token in (
        f"{head}.{admin}.{signature}",
        f"{head}.{claims}.{signature[:-2]}",
        f"{head}.{claims}.",
        f"{head}.{claims}.{signature}==",
        f" {head}.{claims}.{signature}",
        f"{head}.{claims}.{signature}.x",
    ):
        await refused(issuer, token)


async def test_garbage_is_refused_whatever_it_is(issuer: Issuer) -> None:
    (key,) = issuer.keys
    chance = random.Random(14)
    deep = b"[" * 3000
    garbage = [
        b"",
        b".",
        b"..",
        b"...",
        b"a.b.c",
        b"\xff.\xfe.\xfd",
        b"e30.e30.e30",
        b"\0" * 100,
        "ü.ü.ü".encode(),
        f"{encoded(deep)}.{encoded(deep)}.AAAA".encode(),
        f"{encoded([])}.{encoded({})}.AAAA".encode(),
        f"{encoded({'alg': 'RS256', 'kid': {}})}.{encoded({})}.AAAA".encode(),
        f"{encoded({'alg': ['RS256']})}.{encoded({})}.AAAA".encode(),
        f"{encoded({'alg': 'RS256', 'kid': 'k' * 300})}.{encoded({})}.AAAA".encode(),
        key.sign(b"not json").encode(),
        key.sign(deep).encode(),
        key.sign([]).encode(),
        key.sign(b'"x"').encode(),
        key.sign(b'{"iss": "\\ud800"}').encode(),
        key.sign(b'{"exp": NaN}').encode(),
        key.sign(b"\xff\xfe").encode(),
        key.sign(b'{"exp": ' + b"9" * 5000 + b"}").encode(),
        *(chance.randbytes(chance.randrange(300)) for _ in range(300)),
        *(base64url(chance.randbytes(60)).encode() + b"." + issuer.token().split(b".", 1)[1] for _ in range(50)),
    ]
    whole = issuer.token()
    for _ in range(300):
        broken = bytearray(whole)
        broken[chance.randrange(len(whole))] ^= chance.randrange(1, 256)
        garbage.append(bytes(broken))
    for token in garbage:
        await refused(issuer, token)


async def test_a_token_of_absurd_size_is_not_looked_at(issuer: Issuer) -> None:
    token = issuer.token(padding="x" * TOKEN_BYTES)
    assert "larger than" in await refused(issuer, token)
    assert "larger than" in await refused(issuer, b"." * 1_000_000)


async def test_no_reason_quotes_the_token(issuer: Issuer) -> None:
    for claims in ({"iss": "secret-word"}, {"aud": "secret-word"}, {"exp": "secret-word"}, {"sub": "secret-word\n"}):
        assert "secret" not in await refused(issuer, issuer.token(**claims))
    assert "secret" not in await refused(issuer, issuer.keys[0].sign(claims_of(), kid="secret-word"))
