"""What a broker does with connections and sessions, and aiokafka does not expect: a broker that we play ourselves."""

import asyncio
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from socket import create_server
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed
from aiokafka.protocol.metadata import MetadataRequest

from notes_chassis.access.client import ClientCredentials
from notes_chassis.kafka.aiokafka_connections import TLS_CLOSE_S
from notes_chassis.kafka.aiokafka_internals import refusal_of
from notes_chassis.kafka.cluster import KafkaTokens
from tests.harness.secured_kafka import certificate
from tests.harness.waiting import eventually

HANDSHAKE, VERSIONS, AUTHENTICATE, METADATA = 17, 18, 36, 3
SUPPORTED = {HANDSHAKE: 1, VERSIONS: 0, AUTHENTICATE: 1, METADATA: 1}
REFUSED = 58


def string(text: bytes) -> bytes:
    return struct.pack(">h", len(text)) + text


class Broker:
    """Answers as it is told to. `asked` has what was sent to authenticate, `held` an answer that has to wait."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.answers: list[tuple[int, bytes, int]] = []
        """Of each step of an authentication: an error's code, what is said, and how long the session lasts, ms."""
        self.held: asyncio.Event | None = None
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                key, _, number = struct.unpack(">hhi", (request := await reader.readexactly(size))[:8])
                answer = struct.pack(">i", number) + await self.answer(key, request)
                writer.write(struct.pack(">i", len(answer)) + answer)
        writer.close()

    async def answer(self, key: int, request: bytes) -> bytes:
        if key == VERSIONS:
            lists = [struct.pack(">hhh", api, 0, version) for api, version in SUPPORTED.items()]
            return struct.pack(">hi", 0, len(lists)) + b"".join(lists)
        if key == HANDSHAKE:
            return struct.pack(">hi", 0, 2) + string(b"OAUTHBEARER") + string(b"SCRAM-SHA-512")
        if key == AUTHENTICATE:
            (client_id,) = struct.unpack(">h", request[8:10])
            self.asked.append(request[10 + client_id + 4 :])
            code, said, lasts_ms = self.answers.pop(0)
            return (
                struct.pack(">h", code)
                + string(b"why")
                + struct.pack(">i", len(said))
                + said
                + struct.pack(">q", lasts_ms)
            )
        if self.held is not None:
            await self.held.wait()
        node = struct.pack(">ii", 1, 1) + string(b"127.0.0.1") + struct.pack(">ih", self.port, -1)
        return node + struct.pack(">ii", 1, 0)


@asynccontextmanager
async def run(broker: Broker) -> AsyncIterator[None]:
    server = await asyncio.start_server(broker.serve, "127.0.0.1")
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    made = Broker()
    async with run(made):
        yield made


class Credentials(ClientCredentials):
    forgotten = 0

    async def token(self) -> str:
        return "token"

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture
def tokens() -> KafkaTokens:
    return KafkaTokens(Credentials(None, "https://issuer.test", "", "notes", "secret", ""))  # type: ignore[arg-type]


def by_token(tokens: KafkaTokens) -> dict[str, object]:
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token_provider": tokens,
    }


async def closed(connection: AIOKafkaConnection) -> None:
    """Wait until it is closed, by itself."""
    try:
        await asyncio.wait([connection._closed_fut], timeout=5)
        assert connection._closed_fut.done()
        assert not connection.connected()
    finally:
        connection.close()


async def test_a_session_that_will_end_is_renewed_before_and_no_request_fails(
    broker: Broker, tokens: KafkaTokens
) -> None:
    broker.answers = [(0, b"", 400)]
    connection = await create_conn("127.0.0.1", broker.port, **by_token(tokens))
    broker.held = asyncio.Event()
    asked = asyncio.ensure_future(connection.send(MetadataRequest([])))
    await asyncio.sleep(0.6)  # the session is over: nothing may happen while an answer is due
    assert connection.connected()
    broker.held.set()
    assert (await asked).brokers
    await closed(connection)


async def test_an_idle_connection_does_not_outlive_its_session(broker: Broker, tokens: KafkaTokens) -> None:
    broker.answers = [(0, b"", 300)]
    connection = await create_conn("127.0.0.1", broker.port, **by_token(tokens))
    await closed(connection)


async def test_a_token_that_is_refused_is_named_and_another_one_asked_for(broker: Broker, tokens: KafkaTokens) -> None:
    broker.answers = [(0, b'{"status":"invalid_token"}', 0), (REFUSED, b"", 0)] * 2
    client = AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{broker.port}", **by_token(tokens))
    for _ in range(2):
        with pytest.raises(SaslAuthenticationFailed):
            await client.bootstrap()
    await client.close()
    assert broker.asked[1] == b"\x01"
    assert tokens.credentials.forgotten == 1, "however many clients try again, the issuer is asked once in a while"


async def test_a_client_that_runs_says_why_it_is_not_let_in_until_it_is(broker: Broker, tokens: KafkaTokens) -> None:
    broker.answers = [(0, b"", 0)]
    client = AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{broker.port}", **by_token(tokens))
    await client.bootstrap()
    try:
        broker.answers = [(REFUSED, b"", 0)]
        assert not await client.ready(1)
        assert isinstance(refusal_of(client), SaslAuthenticationFailed)
        broker.answers = [(0, b"", 0), (0, b"", 0)]  # it asks for the metadata as well
        assert await client.ready(1)
        assert refusal_of(client) is None
    finally:
        await client.close()


async def test_an_answer_without_sense_is_a_connection_that_failed(broker: Broker) -> None:
    scram = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": "notes", "sasl_plain_password": "pa55"}
    broker.answers = [(0, b"r=somebody,else", 0)]
    with pytest.raises(KafkaConnectionError, match="makes no sense: ValueError") as failed:
        await create_conn("127.0.0.1", broker.port, security_protocol="SASL_PLAINTEXT", **scram)
    assert "pa55" not in str(failed.value)


async def test_who_closes_does_not_wait_for_a_goodbye_that_never_comes(tmp_path) -> None:
    alone, whole = certificate(tmp_path)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(whole)
    done = threading.Event()

    def silent(listener) -> None:
        with context.wrap_socket(listener.accept()[0], server_side=True):
            done.wait(60)  # neither reads nor writes

    with create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=silent, args=[listener])
        thread.start()
        try:
            tls = create_default_context(cafile=alone)
            port = listener.getsockname()[1]
            connection = AIOKafkaConnection("127.0.0.1", port, security_protocol="SSL", ssl_context=tls)
            connecting = asyncio.create_task(connection.connect())
            # Until it waits for the broker's first answer.
            await eventually(lambda: connection._writer is not None)
            goodbye = connection.close()
            async with asyncio.timeout(TLS_CLOSE_S + 5):
                await goodbye
            with suppress(KafkaConnectionError):
                await connecting
        finally:
            done.set()
            thread.join()
