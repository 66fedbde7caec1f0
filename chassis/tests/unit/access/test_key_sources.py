import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from notes_chassis.access.keys import DOCUMENT_BYTES, NotFetched, key_source

ISSUER = "https://issuer.example/realm"
METADATA = {"issuer": ISSUER, "jwks_uri": "https://issuer.example/keys"}
KEYS = b'{"keys": []}'


class Slow(httpx.AsyncByteStream):
    """Sends without end."""

    def __init__(self, chunk: bytes) -> None:
        self.chunk = chunk
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            self.sent += len(self.chunk)
            yield self.chunk


def plain(content: bytes) -> httpx.Response:
    return httpx.Response(200, stream=httpx.ByteStream(content))


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def discovering(metadata: object) -> httpx.AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("openid-configuration"):
            return plain(json.dumps(metadata).encode())
        return plain(KEYS)

    return client(answer)


@pytest.mark.parametrize("issuer", [ISSUER, f"{ISSUER}/"])
async def test_keys_are_discovered(issuer: str) -> None:
    assert await key_source(discovering(METADATA | {"issuer": issuer}), issuer, None)() == KEYS


@pytest.mark.parametrize(
    "metadata",
    [
        [], "x", {}, {**METADATA, "issuer": "https://other.example"}, {**METADATA, "issuer": f"{ISSUER}/"},
        {**METADATA, "jwks_uri": None}, {**METADATA, "jwks_uri": "file:///etc/passwd"},
        {**METADATA, "jwks_uri": "http://issuer.example/keys"}, {**METADATA, "jwks_uri": "https://["},
        {**METADATA, "jwks_uri": "https://"},
    ],
)  # fmt: skip
async def test_metadata_of_others_and_addresses_that_are_none_are_refused(metadata: object) -> None:
    with pytest.raises(NotFetched):
        await key_source(discovering(metadata), ISSUER, None)()


@pytest.mark.parametrize("address", ["http://keys.example/jwks", "HTTP://keys.example/jwks"])
async def test_an_address_of_keys_needs_no_discovery(address: str) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return plain(KEYS)

    assert await key_source(client(answer), ISSUER, address)() == KEYS
    assert asked == ["http://keys.example/jwks"]


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(500), httpx.Response(404, content=KEYS), httpx.Response(204),
        httpx.Response(302, headers={"Location": "http://evil.example/keys"}),
        httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Slow(b"\x1f\x8b")),
    ],
)  # fmt: skip
async def test_only_a_plain_document_is_read(response: httpx.Response) -> None:
    with pytest.raises(NotFetched):
        await key_source(client(lambda _: response), ISSUER, "https://keys.example")()


async def test_a_document_without_end_is_given_up_soon() -> None:
    endless = Slow(b" " * 10_000)
    with pytest.raises(NotFetched, match="larger"):
        await key_source(client(lambda _: httpx.Response(200, stream=endless)), ISSUER, "https://keys.example")()
    assert endless.sent <= DOCUMENT_BYTES + 10_000


async def test_an_issuer_that_does_not_answer_is_named_by_kind() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("secret", request=request)

    with pytest.raises(NotFetched, match="ConnectError") as error:
        await key_source(client(answer), ISSUER, None)()
    assert "secret" not in str(error.value)


async def test_keys_are_read_out_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with pytest.raises(NotFetched, match="No such file or directory") as error:
        await key_source(client(lambda _: httpx.Response(500)), ISSUER, str(file))()
    assert file.name not in str(error.value)
    file.write_bytes(KEYS)
    for named in (str(file), f"file://{file}"):
        assert await key_source(client(lambda _: httpx.Response(500)), ISSUER, named)() == KEYS
    file.write_bytes(b" " * (DOCUMENT_BYTES + 1))
    with pytest.raises(NotFetched, match="larger"):
        await key_source(client(lambda _: httpx.Response(500)), ISSUER, str(file))()
