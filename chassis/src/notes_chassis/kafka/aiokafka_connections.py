"""The changes to aiokafka's connections; "until" and "no issue" mean the same as in aiokafka_patches.py.

- `AIOKafkaClient.bootstrap`: cancelled or failed, it forgets its first connection, which stays open. Until
  https://github.com/aio-libs/aiokafka/issues/715 is done.
- `AIOKafkaConnection.connect`, with `bootstrap` and `_get_conn`: if a password is wrong, a token is missing or a
  certificate is not trusted, aiokafka says that no broker answers, and once a client runs it says nothing at all. An
  answer that cannot be decoded ends aiokafka's tasks. Until the cause is raised and kept; no issue.
- `AIOKafkaClient.close` and `_get_conn`: a connection that is opened after `close` stays open. Until none is; no issue.
- `AIOKafkaConnection.close`: it waits 30 s for a broker that does not close the TLS session, which a broker does not do
  while it has a request in hand or after the SASL session has ended. Until there is a timeout; no issue.
- `AIOKafkaConnection.send` and `_handle_frame`: aiokafka does not re-authenticate (KIP-368), so the end of each session
  costs a request that fails, even the one that leaves the group. We renew the connection before. Until aiokafka does;
  no issue.
- `OAuthAuthenticator.step`: a token that the broker refuses counts as accepted, and the next request as a broken
  connection. Until the refusal is acknowledged, as RFC 7628 (section 3.2.3) says; no issue.
"""

import ssl
import traceback
from contextvars import ContextVar
from typing import Any, Final
from weakref import ref

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from aiokafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.protocol.admin import SaslAuthenticateRequest

from notes_chassis.kafka.cluster import KafkaTokens, TokenUnavailable

_bootstrap: Final = AIOKafkaClient.bootstrap
_close: Final = AIOKafkaClient.close
_get_conn: Final = AIOKafkaClient._get_conn
_connect: Final = AIOKafkaConnection.connect
_close_connection: Final = AIOKafkaConnection.close
_send: Final = AIOKafkaConnection.send
_handle_frame: Final = AIOKafkaConnection._handle_frame
_step: Final = OAuthAuthenticator.step
_outcomes: Final = ContextVar[list[Exception | None] | None]("outcomes", default=None)
_CLOSED: Final = "_notes_closed"
_OVER: Final = "_notes_over"
_REFUSED: Final = (SaslAuthenticationFailed, UnsupportedSaslMechanismError, TokenUnavailable, ssl.SSLError)
REFUSAL: Final = "_notes_refusal"
"""The attribute of a client that says why Kafka refused its last connection; None after Kafka let one in."""
TLS_CLOSE_S: Final = 1.0
SESSION_SHARE: Final = 0.85
"""The part of a session after which the connection is renewed: the rest is for a request under way."""


async def _bootstrap_or_close(client: Any) -> None:
    setattr(client, _CLOSED, False)
    token = _outcomes.set(outcomes := list[Exception | None]())
    try:
        await _bootstrap(client)
    except BaseException as error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            # Only this local variable of aiokafka's refers to the connection.
            if (connection := frame.f_locals.get("bootstrap_conn")) is not None:
                connection.close()
        refusals = [outcome for outcome in outcomes if outcome is not None]
        if refusals and isinstance(error, KafkaConnectionError):
            raise refusals[-1] from None
        raise
    finally:
        _outcomes.reset(token)


async def _connect_noted(connection: Any) -> Any:
    try:
        connected = await _connect(connection)
    except _REFUSED as error:
        _note(error)
        tokens = connection._sasl_oauth_token_provider
        if isinstance(error, SaslAuthenticationFailed) and isinstance(tokens, KafkaTokens):
            tokens.refused()
        raise
    except (KafkaError, OSError, TimeoutError):
        raise
    except Exception as error:  # noqa: BLE001 - of any kind; its text may quote what was sent
        raise KafkaConnectionError(f"what the broker says makes no sense: {type(error).__name__}") from None
    _note(None)
    return connected


def _note(outcome: Exception | None) -> None:
    if (outcomes := _outcomes.get()) is not None:
        outcomes.append(outcome)


def _close_soon(connection: Any, reason: Any = None, exc: BaseException | None = None) -> Any:
    writer = connection._writer
    closed = _close_connection(connection, reason, exc)
    if writer is not None and closed is not None and not closed.done():
        timer = connection._loop.call_later(TLS_CLOSE_S, writer.transport.abort)
        closed.add_done_callback(lambda _: timer.cancel())
    return closed


def _send_noted(connection: Any, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - aiokafka's
    answer = _send(connection, request, expect_response)
    return _session_noted(connection, answer) if isinstance(request, SaslAuthenticateRequest) else answer


async def _session_noted(connection: Any, answer: Any) -> Any:
    response = await answer
    if lifetime_ms := getattr(response, "session_lifetime_ms", 0):
        connection._loop.call_later(lifetime_ms / 1000 * SESSION_SHARE, _renew, ref(connection))
    return response


def _renew(reference: "ref[Any]") -> None:
    if (connection := reference()) is not None:
        setattr(connection, _OVER, True)
        _close_if_over(connection)


def _close_if_over(connection: Any) -> None:
    """Close a connection whose session is over, once it has no request under way: the next request opens another."""
    if getattr(connection, _OVER, False) and not connection._requests:
        connection.close()


def _handle_frame_of_session(connection: Any, frame: Any) -> None:
    _handle_frame(connection, frame)
    _close_if_over(connection)


async def _step_until_accepted(authenticator: Any, payload: bytes | None) -> tuple[bytes, bool] | None:
    if payload and authenticator._token_sent:
        return b"\x01", True  # the broker has sent its reason; it refuses after this acknowledgement
    message: tuple[bytes, bool] | None = await _step(authenticator, payload)
    return message


async def _close_for_good(client: Any) -> None:
    setattr(client, _CLOSED, True)
    await _close(client)


async def _get_unless_closed(client: Any, *arguments: Any, **options: Any) -> Any:
    token = _outcomes.set(outcomes := list[Exception | None]())
    try:
        connection = await _get_conn(client, *arguments, **options)
    finally:
        _outcomes.reset(token)
    if outcomes:  # empty if the connection was open already, which says nothing of today's password
        setattr(client, REFUSAL, outcomes[-1])
    if connection is not None and getattr(client, _CLOSED, False):
        connection.close()
        return None
    return connection


def patch() -> None:
    """Change aiokafka in this process."""
    AIOKafkaClient.bootstrap = _bootstrap_or_close
    AIOKafkaConnection.connect = _connect_noted
    AIOKafkaConnection.close = _close_soon
    AIOKafkaConnection.send = _send_noted
    AIOKafkaConnection._handle_frame = _handle_frame_of_session
    OAuthAuthenticator.step = _step_until_accepted
    AIOKafkaClient.close = _close_for_good
    AIOKafkaClient._get_conn = _get_unless_closed
