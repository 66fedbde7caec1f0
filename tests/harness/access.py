"""Kafka's access rights: forbid everybody something on one topic or group, and allow it again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

EVERYTHING, READ, WRITE = 2, 3, 4
"""Operations. Whoever may read or write a topic may see it, too."""
TOPIC, GROUP = 2, 3
"""Kinds of what has a name."""
_LITERAL: Final = 3
_ANY, _DENY, _ALLOW = 1, 2, 3
Ask = Callable[[Any], Awaitable[Any]]
_EVERYBODY, _EVERYWHERE = "User:*", "*"


async def forbid(address: str, name: str, operation: int, kind: int = TOPIC) -> None:
    """Forbid one operation on a topic or group; the others stay allowed. EVERYTHING hides the topic as well."""
    async with _asking(address) as ask:
        for what, permission in ((EVERYTHING, _ALLOW), (operation, _DENY)):  # with any entry, all is closed but that
            await ask(CreateAclsRequest(kind, name, _LITERAL, _EVERYBODY, _EVERYWHERE, what, permission))
        await _until_known(ask, kind, name, entries=2)


async def allow(address: str, name: str, kind: int = TOPIC) -> None:
    """Allow everything again."""
    async with _asking(address) as ask:
        await ask(DeleteAclsRequest(kind, name, _LITERAL, None, None, _ANY, _ANY))  # type: ignore[arg-type]
        await _until_known(ask, kind, name, entries=0)


async def _until_known(ask: Ask, kind: int, name: str, entries: int) -> None:
    """Wait for the broker, which learns of a change only after it was acknowledged."""
    while True:
        answer = await ask(DescribeAclsRequest(kind, name, _LITERAL, None, None, _ANY, _ANY))  # type: ignore[arg-type]
        if sum(len(acls) for *_, acls in answer.resources) == entries:
            return
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _asking(address: str) -> AsyncIterator[Ask]:
    """Give what sends requests that the admin client has no methods for."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()

    async def ask(request: Any) -> Any:
        answer = await admin._client.send(1, request)
        for code, *reason in getattr(answer, "creation_responses", ()) or getattr(answer, "filter_responses", ()):
            if code:
                raise for_code(code)(str(reason))
        return answer

    try:
        async with asyncio.timeout(10):
            yield ask
    finally:
        await admin.close()
