import base64
import json
import traceback
from urllib.parse import parse_qs, unquote_plus

import httpx
import pytest

from notes_chassis.access.client import ClientCredentials, NoToken
from notes_chassis.access.keys import DOCUMENT_BYTES

ISSUER = "https://issuer.example"


class Issuer:
    """Gives a new token at every request."""

    def __init__(self) -> None:
        self.given = 0
        self.answer: bytes | None = None
        self.status = 200
        self.now = 0.0
        client = httpx.AsyncClient(transport=httpx.MockTransport(self))
        self.credentials = ClientCredentials(
            client, ISSUER, "notes", "query", "secret-word", "notes.admin", clock=lambda: self.now
        )

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/.well-known/openid-configuration":
            metadata = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"}
            return httpx.Response(200, stream=httpx.ByteStream(json.dumps(metadata).encode()))
        form = parse_qs(request.content.decode())
        assert form == {"grant_type": ["client_credentials"], "scope": ["notes.admin"], "audience": ["notes"]}
        scheme, _, value = request.headers["authorization"].partition(" ")
        name, _, secret = base64.b64decode(value).decode().partition(":")
        assert (scheme, unquote_plus(name), unquote_plus(secret)) == ("Basic", "query", self.credentials.client_secret)
        self.given += 1
        answer = {"access_token": f"token-{self.given}", "expires_in": 300, "token_type": "Bearer"}
        stream = httpx.ByteStream(self.answer or json.dumps(answer).encode())
        return httpx.Response(self.status, stream=stream)


async def test_a_token_is_kept_until_shortly_before_it_expires() -> None:
    issuer = Issuer()
    assert [await issuer.credentials.token() for _ in range(3)] == ["token-1"] * 3
    issuer.now = 269
    assert await issuer.credentials.token() == "token-1"
    issuer.now = 270
    assert await issuer.credentials.token() == "token-2"
    issuer.credentials.forget()
    assert await issuer.credentials.token() == "token-3"


async def test_a_secret_may_have_any_characters() -> None:
    issuer = Issuer()
    issuer.credentials.client_secret = "a+b%2F:c d/é"
    assert await issuer.credentials.token() == "token-1"


@pytest.mark.parametrize(
    "answer",
    [
        b"secret-word", b"{}", b'{"access_token": 5}', b"[]", b'{"access_token": ""}', b'{"access_token": "a\\u0001b"}',
        b'{"access_token": "secret\\r\\nX: y"}', b'{"access_token": "secret-\xc3\xa9"}',
        b'{"access_token": "secret-word"' + b" " * DOCUMENT_BYTES + b"}",
    ],
)  # fmt: skip
async def test_an_answer_that_is_no_token_is_an_error_that_quotes_nothing(answer: bytes) -> None:
    issuer = Issuer()
    issuer.answer = answer
    with pytest.raises(NoToken) as error:
        await issuer.credentials.token()
    assert "secret" not in "".join(traceback.format_exception(error.value))
    issuer.status = 401
    with pytest.raises(NoToken, match="401"):
        await issuer.credentials.token()


def test_the_secret_is_not_shown() -> None:
    assert "secret-word" not in repr(Issuer().credentials)
