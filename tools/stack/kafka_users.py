"""Users of a broker that is closed, and their rights: those that the table of docs/security.md gives."""

import asyncio
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

from tools.stack.folder import REPOSITORY, Folder, read_json, write_whole

PAGE = REPOSITORY / "docs/security.md"
ADMIN, UPSTREAM = "admin", "upstream"
SERVICES = {"command": "notes-command", "query": "notes-query"}
OPERATIONS = {"Read": 3, "Write": 4, "DescribeConfigs": 10}
TOPIC, GROUP = 2, 3
PATIENCE = 5.0
LOGIN = "org.apache.kafka.common.security"
VARIABLES = {
    "kafka_protocol": "NOTES_KAFKA_SECURITY_PROTOCOL",
    "kafka_mechanism": "NOTES_KAFKA_SASL_MECHANISM",
    "kafka_username": "NOTES_KAFKA_USERNAME",
    "kafka_password": "NOTES_KAFKA_PASSWORD",
}
_ROW = re.compile(
    r"^\|[^|]*`([\w-]+)` \| (topic|groups?) `([\w.-]+)`( and what follows)? \| ([\w, ]+) \|$", re.MULTILINE
)
_LITERAL, _PREFIXED, _ALLOW = 3, 4, 3


class Right(NamedTuple):
    """A row of the page: what a principal may do on a topic or group, or on all groups that begin so."""

    principal: str
    kind: int
    name: str
    prefixed: bool
    operations: tuple[str, ...]


def rights() -> list[Right]:
    """Return the table of docs/security.md."""
    found = _ROW.findall(PAGE.read_text(encoding="utf-8"))
    return [
        Right(principal, TOPIC if kind == "topic" else GROUP, name, bool(follows), tuple(operations.split(", ")))
        for principal, kind, name, follows, operations in found
    ]


def passwords(folder: Folder) -> dict[str, str]:
    """Return those of a stack's users, made at the first start and kept in a file that nobody else may read."""
    path = folder.root / "kafka-users.json"
    known: dict[str, str] | None = read_json(path)
    if known is None:
        known = {name: secrets.token_hex() for name in (ADMIN, UPSTREAM, *SERVICES.values())}
        write_whole(path, json.dumps(known), mode=0o600)
    return known


def closed(users: Mapping[str, str]) -> dict[str, object]:
    """Return what differs from the usual broker's settings: SASL on every listener, all of them on loopback.

    The listeners keep their names and ports. All users are in the settings, so that data of an open broker serve.
    """
    known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    plain = f'{LOGIN}.plain.PlainLoginModule required username="{ADMIN}" password="{users[ADMIN]}" {known};'
    return {
        "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": plain,
        "listener.name.plaintext.plain.sasl.jaas.config": plain,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN}",
    }


def told(name: str, password: str) -> dict[str, str]:
    """Return what a user has to know, by the names in `VARIABLES`."""
    return dict(zip(VARIABLES, ("SASL_PLAINTEXT", "PLAIN", name, password), strict=True))


def variables(name: str, password: str) -> dict[str, str]:
    """Return what a user has to know, as settings."""
    return {VARIABLES[key]: value for key, value in told(name, password).items()}


def forget() -> None:
    """Drop what the environment says of how to speak to Kafka: an earlier start's, if Kafka is our own."""
    for name in VARIABLES.values():
        os.environ.pop(name, None)


def grant_rights(options: Mapping[str, Any]) -> None:
    """Give users their rights, as the administrator. Raises KafkaError, OSError, TimeoutError."""
    requests = [request for right in rights() for request in acls(right)]
    asyncio.run(asyncio.wait_for(ask(options, requests), PATIENCE))


def acls(right: Right) -> list[CreateAclsRequest]:
    """Return the requests that give a right."""
    pattern, principal = _PREFIXED if right.prefixed else _LITERAL, f"User:{right.principal}"
    return [
        CreateAclsRequest(right.kind, right.name, pattern, principal, "*", OPERATIONS[operation], _ALLOW)
        for operation in right.operations
    ]


async def ask(options: Mapping[str, Any], requests: Iterable[Any]) -> None:
    """Send requests as an administrator; the first that is refused is raised."""
    admin: Any = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        for request in requests:
            answer = await admin._client.send(1, request)  # noqa: SLF001 - it has no method for these
            results = getattr(answer, "creation_responses", None) or [one[1:] for one in answer.results]
            for code, *reason in results:
                if code:
                    raise for_code(code)(str(reason))
    finally:
        await admin.close()
