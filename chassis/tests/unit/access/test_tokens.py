from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448

from notes_chassis.access.tokens import KeysMissing
from tests.harness.issuing import NOW, Issuer, SigningKey, claims_of, key_of, refused, rsa_key


@pytest.fixture
async def issuer() -> Issuer:
    issuer = Issuer()
    await issuer.signing.look()
    return issuer


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "Ed25519"])
async def test_a_token_tells_who_asks(algorithm: str) -> None:
    issuer = Issuer([key_of(algorithm)])
    await issuer.signing.look()
    caller = await issuer.tokens.verify(issuer.token(scope="notes.read notes.write", nbf=NOW))
    assert caller[:4] == ("someone", "user", {"notes.read", "notes.write"}, NOW + 600)


async def test_a_client_that_asks_for_itself_is_a_service_account(issuer: Issuer) -> None:
    for claim in ("azp", "client_id"):
        assert (
            await issuer.tokens.verify(issuer.token(sub="importer", **{claim: "importer"}))
        ).type == "service_account"
    assert (await issuer.tokens.verify(issuer.token(sub="someone", azp="web"))).type == "user"


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "a b"}, {"a", "b"}),
        ({"scope": None, "scp": "a b"}, {"a", "b"}),
        ({"scope": None, "scp": ["a", "b c", 3, None]}, {"a", "b c"}),
        ({"scope": "a", "scp": ["b"]}, {"a", "b"}),
        ({"scope": None}, set()),
        ({"scope": {"notes.read": True}}, set()),
    ],
)
async def test_scopes_are_in_scope_or_scp(issuer: Issuer, claims: dict[str, Any], scopes: set[str]) -> None:
    assert (await issuer.tokens.verify(issuer.token(**claims))).scopes - {""} == scopes


@pytest.mark.parametrize("audience", ["notes", ["other", "notes"]])
async def test_the_audience_is_one_or_several(issuer: Issuer, audience: Any) -> None:
    assert (await issuer.tokens.verify(issuer.token(aud=audience))).id == "someone"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW - 61}, "expired"),
        ({"exp": None}, "when it expires"),
        ({"exp": "soon"}, "not a time"),
        ({"exp": True}, "not a time"),
        ({"exp": 10**400}, "not a time"),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"nbf": [NOW]}, "not a time"),
        ({"aud": "other"}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": {"notes": 1}}, "another audience"),
        ({"aud": ["other"]}, "another audience"),
        ({"iss": "https://issuer.example/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"sub": None}, "of whom"),
        ({"sub": ""}, "of whom"),
        ({"sub": 5}, "of whom"),
        ({"sub": "a\0b"}, "of whom"),
        ({"sub": "a\nb"}, "of whom"),
        ({"sub": "x" * 257}, "of whom"),
    ],
)
async def test_every_claim_counts(issuer: Issuer, claims: dict[str, Any], reason: str) -> None:
    assert reason in await refused(issuer, issuer.token(**claims))


@pytest.mark.parametrize("claims", [{"exp": NOW - 50}, {"nbf": NOW + 50}])
async def test_clocks_may_be_50_seconds_apart(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert (await issuer.tokens.verify(issuer.token(**claims))).id == "someone"


async def test_a_token_is_verified_once(issuer: Issuer) -> None:
    token = issuer.token()
    assert issuer.tokens.cached(token) is None
    caller = await issuer.tokens.verify(token)
    assert issuer.tokens.cached(token) is caller
    assert issuer.tokens.cached(issuer.token(sub="other")) is None


async def test_what_is_remembered_expires_with_the_token(issuer: Issuer) -> None:
    token = issuer.token(exp=NOW + 10)
    await issuer.tokens.verify(token)
    issuer.now = NOW + 69
    assert issuer.tokens.cached(token) is not None
    issuer.now = NOW + 70
    assert issuer.tokens.cached(token) is None
    assert "expired" in await refused(issuer, token)
    assert len(issuer.tokens._verified) == 0


async def test_only_so_many_tokens_are_remembered(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notes_chassis.access.tokens.MOST_CACHED", 3)
    tokens = [issuer.token(sub=f"person {number}") for number in range(4)]
    for token in tokens:
        await issuer.tokens.verify(token)
    assert [issuer.tokens.cached(token) is not None for token in tokens] == [False, True, True, True]


async def test_a_token_of_very_many_scopes_is_not_remembered(issuer: Issuer) -> None:
    for number, remembered in ((100, True), (101, False)):
        token = issuer.token(scope=" ".join(f"s{one}" for one in range(number)))
        assert len((await issuer.tokens.verify(token)).scopes) == number
        assert (issuer.tokens.cached(token) is not None) == remembered


async def test_without_keys_nobody_can_tell() -> None:
    issuer = Issuer(away=True)
    await issuer.signing.look()
    with pytest.raises(KeysMissing):
        await issuer.tokens.verify(issuer.token())
    await refused(issuer, b"garbage")


async def test_keys_that_are_too_weak_or_of_another_kind_check_nothing() -> None:
    weak = SigningKey("weak", "RS256", rsa_key("weak", 1024))
    other = SigningKey("other", "ES256", ec.generate_private_key(ec.SECP384R1()))
    wide = SigningKey("wide", "EdDSA", ed448.Ed448PrivateKey.generate())
    good = key_of("ES256", "good")
    issuer = Issuer([weak, other, wide, good])
    await issuer.signing.look()
    assert set(issuer.signing.known.by_kid) == {"good"}
    await refused(issuer, weak.sign(claims_of()))
    await refused(issuer, wide.sign(claims_of()))


async def test_a_token_without_a_key_name_is_good_while_there_is_one_key() -> None:
    key = key_of("RS256", None)
    issuer = Issuer([key])
    await issuer.signing.look()
    await issuer.tokens.verify(issuer.token())
    issuer.keys.append(SigningKey("two", "RS256", rsa_key("two")))
    await issuer.signing.look()
    await refused(issuer, key.sign(claims_of()))
