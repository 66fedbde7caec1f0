"""The issuer for development gives tokens that the services take, by every way that it has."""

import base64
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from notes_chassis.access.client import ClientCredentials
from notes_chassis.access.keys import SigningKeys, key_source
from notes_chassis.access.tokens import InvalidToken, Tokens
from notes_chassis.health import Health
from notes_chassis.http.body import Places
from tools.issuer.app import SECRET, create_issuer
from tools.issuer.issuer import AUDIENCE

URL = "http://127.0.0.1:9999"
BACK = "http://127.0.0.1:8082/back?from=issuer"


class Pair:
    """The issuer, and what takes its tokens."""

    def __init__(self) -> None:
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(create_issuer(URL)), base_url=URL)
        self.keys = SigningKeys(key_source(self.client, URL, None), Health())
        self.tokens = Tokens(URL, AUDIENCE, self.keys, Places(100))

    async def token(self, **form: Any) -> httpx.Response:
        data = {"grant_type": "client_credentials", "client_id": "importer", "client_secret": SECRET} | form
        return await self.client.post("/token", data=data)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    await pair.keys.look()
    yield pair
    await pair.client.aclose()


async def test_a_client_gets_a_token_of_its_own(pair: Pair) -> None:
    credentials = ClientCredentials(pair.client, URL, AUDIENCE, "query", SECRET, "notes.admin")
    caller = await pair.tokens.verify((await credentials.token()).encode())
    assert caller[:3] == ("query", "service_account", {"notes.admin"})
    for wrong in ({"client_secret": "x"}, {"client_id": ""}):
        assert (await pair.token(**wrong)).status_code == 401
    for wrong in ({"scope": "everything"}, {"grant_type": "password"}):
        assert (await pair.token(**wrong)).status_code == 400


async def test_tests_choose_whose_token_it_is_and_how_long_it_lasts(pair: Pair) -> None:
    answer = (await pair.token(subject="anna", lasts=5, scope="notes.read notes.write")).json()
    assert answer["expires_in"] == 5
    caller = await pair.tokens.verify(answer["access_token"].encode())
    assert caller[:3] == ("anna", "user", {"notes.read", "notes.write"})


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_keys_rotate_on_demand(pair: Pair, algorithm: str) -> None:
    old = (await pair.token()).json()["access_token"].encode()
    assert len((await pair.client.post(f"/rotate?alg={algorithm}")).json()["keys"]) == 2
    await pair.tokens.verify((await pair.token()).json()["access_token"].encode())
    await pair.tokens.verify(old)
    await pair.client.post("/rotate?keep=0")
    await pair.keys.look()
    with pytest.raises(InvalidToken):
        await pair.tokens.verify(old)


async def test_a_person_logs_in_by_code_and_pkce(pair: Pair) -> None:
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code", "client_id": "web", "redirect_uri": BACK, "scope": "notes.read", "state": 'a"<b',
        "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    page = (await pair.client.get("/authorize", params=asked)).text
    assert re.findall(r'value="(notes\.\w+)" checked', page) == ["notes.read"]
    assert 'value="a&quot;&lt;b"' in page
    form = {"name": "Anna", "redirect_uri": BACK, "code_challenge": challenge, "client_id": "web", "state": 'a"<b'}
    sent = await pair.client.post("/authorize", data=form | {"scope": ["notes.read", "notes.write"]})
    back = urlsplit(sent.headers["location"])
    found = parse_qs(back.query)
    assert (sent.status_code, back.path, found["from"], found["state"]) == (303, "/back", ["issuer"], ['a"<b'])
    redeemed = {"grant_type": "authorization_code", "code": found["code"][0], "redirect_uri": BACK}
    caller = await pair.tokens.verify(
        (await pair.client.post("/token", data=redeemed | {"code_verifier": verifier})).json()["access_token"].encode()
    )
    assert caller[:3] == ("Anna", "user", {"notes.read", "notes.write"})
    assert (await pair.client.post("/token", data=redeemed | {"code_verifier": verifier})).status_code == 400


async def test_a_code_is_of_no_use_to_others(pair: Pair) -> None:
    form = {"name": "Anna", "redirect_uri": BACK, "code_challenge": "x", "client_id": "web", "scope": "notes.read"}
    for wrong in ({"code_verifier": "y"}, {"redirect_uri": "http://127.0.0.1:1"}):
        code = parse_qs(urlsplit((await pair.client.post("/authorize", data=form)).headers["location"]).query)["code"][
            0
        ]
        redeemed = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": "x",
        } | wrong
        assert (await pair.client.post("/token", data=redeemed)).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize("away", ["https://evil.example/", "http://evil.example/", "javascript:alert(1)"])
async def test_nobody_is_sent_away_from_this_machine(pair: Pair, away: str) -> None:
    asked = {"response_type": "code", "redirect_uri": away, "code_challenge": "x", "code_challenge_method": "S256"}
    assert (await pair.client.get("/authorize", params=asked)).status_code == 400
    form = {"name": "Anna", "redirect_uri": away, "code_challenge": "x", "scope": "notes.read"}
    assert (await pair.client.post("/authorize", data=form)).status_code == 400
    assert (await pair.client.get("/keys", headers={"Host": "evil.example"})).status_code == 400


async def test_a_registered_client_is_sent_back_to_its_own_page_alone() -> None:
    app = create_issuer(URL, clients=[("notes-web", BACK), ("notes-web", "http://localhost:8082/callback")])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client:
        for name, back, status in (
            ("notes-web", BACK, 200),
            ("notes-web", "http://localhost:8082/callback", 200),
            ("notes-web", "http://127.0.0.1:9/callback", 400),
            ("another", "http://127.0.0.1:9/callback", 200),
        ):
            asked = {"response_type": "code", "client_id": name, "redirect_uri": back, "code_challenge_method": "S256"}
            assert (await client.get("/authorize", params=asked)).status_code == status
            form = {
                "name": "Anna",
                "redirect_uri": back,
                "code_challenge": "x",
                "client_id": name,
                "scope": "notes.read",
            }
            assert (await client.post("/authorize", data=form)).status_code == (303 if status == 200 else 400)


async def test_a_session_is_renewed_until_it_is_ended(pair: Pair) -> None:
    challenge = base64.urlsafe_b64encode(sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    form = {"name": "Anna", "redirect_uri": BACK, "client_id": "web", "scope": "notes.read", "nonce": "n"}
    sent = await pair.client.post("/authorize", data=form | {"code_challenge": challenge})
    code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
    asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": "v" * 43}
    session = (await pair.client.post("/token", data=asked)).json()
    who = jwt.decode(session["id_token"], options={"verify_signature": False})
    assert (who["iss"], who["aud"], who["sub"], who["nonce"]) == (URL, "web", "Anna", "n")
    renewed = await pair.client.post("/token", data={"grant_type": "refresh_token"} | session)
    caller = await pair.tokens.verify(renewed.json()["access_token"].encode())
    assert caller[:3] == ("Anna", "user", {"notes.read"})
    assert (await pair.client.post("/token", data={"grant_type": "refresh_token"} | session)).status_code == 400
    assert (await pair.client.post("/end-sessions")).status_code == 204
    ended = await pair.client.post("/token", data={"grant_type": "refresh_token"} | renewed.json())
    assert ended.json() == {"error": "invalid_grant"}
