import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from notes_chassis.access.key_set import MOST_KEYS, NoKeys, read_key_set
from notes_chassis.access.keys import PART, UNKNOWN_S
from notes_chassis.access.tokens import InvalidToken
from tests.harness.issuing import NOW, Issuer, claims_of, key_of

DEADLINE_S = 20


@pytest.fixture
async def issuer() -> Issuer:
    issuer = Issuer()
    await issuer.signing.look()
    return issuer


async def is_good(issuer: Issuer, token: bytes) -> bool:
    try:
        await issuer.tokens.verify(token)
    except InvalidToken:
        return False
    return True


@asynccontextmanager
async def kept_fresh(issuer: Issuer) -> AsyncIterator[None]:
    running = asyncio.create_task(issuer.signing.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def is_well(issuer: Issuer) -> None:
    """Wait until readiness says that the keys are there."""
    loop = asyncio.get_running_loop()
    until = loop.time() + DEADLINE_S
    while not issuer.health.parts[PART].ok:
        assert loop.time() < until
        turn = loop.create_future()
        loop.call_later(0.001, turn.set_result, None)  # asyncio.sleep may be another one
        await turn


async def test_a_new_key_is_found_when_a_token_names_it(issuer: Issuer) -> None:
    before = issuer.token()
    issuer.keys.append(key_of("ES256", "two"))
    assert await is_good(issuer, issuer.token())
    assert await is_good(issuer, before)
    assert issuer.asked == 2


async def test_unknown_keys_are_looked_for_at_most_every_30_seconds(issuer: Issuer) -> None:
    stranger = key_of("ES256", "stranger").sign(claims_of()).encode()
    for _ in range(100):
        assert not await is_good(issuer, stranger)
    assert issuer.asked == 2
    issuer.keys.append(key_of("ES256", "two"))
    assert not await is_good(issuer, issuer.token())
    issuer.now += UNKNOWN_S
    assert await is_good(issuer, issuer.token())
    assert issuer.asked == 3


async def test_a_withdrawn_key_is_not_trusted_any_more_nor_what_was_remembered_of_it(issuer: Issuer) -> None:
    token = issuer.token()
    assert await is_good(issuer, token)
    issuer.keys = [key_of("ES256", "two")]
    await issuer.signing.look()
    assert issuer.tokens.cached(token) is None
    assert not await is_good(issuer, token)


async def test_who_was_let_in_by_a_key_hears_when_it_is_withdrawn_and_not_before(issuer: Issuer) -> None:
    one = issuer.keys[0]
    caller = await issuer.tokens.verify(issuer.token())
    for others in ([key_of("ES256", "two")], [key_of("EdDSA", "three"), key_of("RS256", None)]):
        issuer.keys = [one, *others]
        assert await issuer.signing.look()
        assert not caller.withdrawn.is_set()
    later = await issuer.tokens.verify(one.sign(claims_of(jti="later")).encode())
    issuer.keys = [key_of("ES256", "one")]
    assert await issuer.signing.look()
    assert caller.withdrawn.is_set()
    assert later.withdrawn.is_set()
    assert not (await issuer.tokens.verify(issuer.token())).withdrawn.is_set()


async def test_keys_without_names_are_compared_one_by_one_in_any_order(issuer: Issuer) -> None:
    one, two, three = key_of("ES256", None), key_of("RS256", None), key_of("EdDSA", None)
    issuer.keys = [one, two]
    await issuer.signing.look()
    token = one.sign(claims_of()).encode()
    caller = await issuer.tokens.verify(token)
    for keys, is_cached in (([two, one], True), ([two, three, one], False), ([one], False)):
        issuer.keys = keys
        await issuer.signing.look()
        assert (issuer.tokens.cached(token) is not None) is is_cached
        assert not caller.withdrawn.is_set()
        await issuer.tokens.verify(token)
    issuer.keys = [two]
    await issuer.signing.look()
    assert caller.withdrawn.is_set()


async def test_the_last_keys_are_kept_while_the_issuer_is_away_for_an_hour(issuer: Issuer) -> None:
    old, issuer.away = issuer.token(exp=NOW + 7200), True
    assert await is_good(issuer, old)
    for _ in range(12):
        issuer.now += 300
        assert not await issuer.signing.look()
        assert issuer.tokens.cached(old) is not None
        assert await is_good(issuer, issuer.token(exp=NOW + 7200, jti=str(issuer.now)))
    assert not issuer.health.parts[PART].ok
    assert issuer.health.ready([])
    issuer.away = False
    assert await issuer.signing.look()
    assert issuer.health.parts[PART].ok


async def test_readiness_names_keys_that_were_never_read() -> None:
    issuer = Issuer(away=True)
    assert not issuer.health.ready([])
    assert not await issuer.signing.look()
    assert not issuer.health.ready([])
    assert issuer.health.parts[PART].reason == "nobody answers"
    issuer.away = False
    await issuer.signing.look()
    assert issuer.health.ready([])


async def test_keys_are_read_again_until_they_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer, slept = Issuer(away=True), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        issuer.away = len(slept) < 4

    monkeypatch.setattr(asyncio, "sleep", sleep)
    async with kept_fresh(issuer):
        await is_well(issuer)
    assert len(slept) == 4
    assert all(seconds <= 5 for seconds in slept)


async def test_keys_are_read_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notes_chassis.access.keys.REFRESH_S", 0.001)
    issuer = Issuer()
    async with kept_fresh(issuer), asyncio.timeout(DEADLINE_S):
        while issuer.asked < 3:
            await asyncio.sleep(0.001)


async def test_a_look_for_an_unknown_key_that_failed_is_soon_tried_again() -> None:
    issuer = Issuer()
    async with kept_fresh(issuer):
        await is_well(issuer)
        issuer.away = True
        assert not await is_good(issuer, key_of("ES256", "stranger").sign(claims_of()).encode())
        assert not issuer.health.parts[PART].ok
        issuer.away = False
        await is_well(issuer)


async def test_many_who_ask_at_once_ask_the_issuer_once(issuer: Issuer) -> None:
    issuer.keys.append(key_of("ES256", "two"))
    asked = await asyncio.gather(*(is_good(issuer, issuer.token(jti=str(number))) for number in range(50)))
    assert all(asked)
    assert issuer.asked == 2


async def test_an_issuer_that_hangs_is_given_up(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notes_chassis.access.keys.FETCH_S", 0.01)

    async def hang() -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    issuer.signing.fetch = hang
    assert not await issuer.signing.look()
    assert "within" in str(issuer.health.parts[PART].reason)
    assert await is_good(issuer, issuer.token())


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{}", b"[]", b"null", b"\xff", b"<html>", b'{"keys": {}}', b'{"keys": []}',
        b'{"keys": [1, null, "x", []]}',
        b"[" * 100_000, b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}]}',
        b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}', b'{"keys": [{"kty": "RSA", "n": 5, "e": null}]}',
        b'{"keys": [{"kty": "RSA", "n": "!", "e": "\xc3\xa9"}]}', b'{"keys": [{"kty": ["RSA"], "crv": {}}]}',
        b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}',
        b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}',
    ],
)  # fmt: skip
async def test_documents_that_hold_no_key_are_refused_and_the_last_keys_kept(issuer: Issuer, document: bytes) -> None:
    with pytest.raises(NoKeys):
        read_key_set(document)
    issuer.document = document
    assert not await issuer.signing.look()
    assert await is_good(issuer, issuer.token())


async def test_an_error_that_nobody_expected_keeps_the_last_keys(issuer: Issuer) -> None:
    async def broken() -> bytes:
        raise RuntimeError("secret")

    issuer.signing.fetch = broken
    assert not await issuer.signing.look()
    assert "secret" not in str(issuer.health.parts[PART].reason)
    assert await is_good(issuer, issuer.token())


@pytest.mark.parametrize(
    "more",
    [{"use": "enc"}, {"alg": "RS512"}, {"alg": "HS256"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"kid": 7},
     {"kid": "k" * 257}],
)  # fmt: skip
def test_a_key_that_is_not_for_checking_signatures_is_passed_over(more: dict[str, Any]) -> None:
    good = key_of("ES256", "good")
    found = read_key_set(json.dumps({"keys": [key_of("RS256").jwk() | more, good.jwk()]}).encode())
    assert set(found.by_kid) == {"good"}


def test_only_so_many_keys_are_looked_at() -> None:
    jwk = key_of("ES256").jwk()
    keys = [jwk | {"kid": str(number)} for number in range(MOST_KEYS * 3)]
    assert len(read_key_set(json.dumps({"keys": keys}).encode()).by_kid) == MOST_KEYS


def test_private_keys_of_a_set_are_read_as_public_ones() -> None:
    key = key_of("EdDSA")
    jwk = key.jwk() | {"d": "AAAA"}
    assert read_key_set(json.dumps({"keys": [jwk]}).encode()).key("one", "EdDSA") is not None
