"""Does it answer? One check per kind of server; each raises, whatever its library raises, if not."""

import asyncio
import json
import os
import socket
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from urllib.error import HTTPError

import asyncpg
from aiokafka.client import AIOKafkaClient
from pymongo import MongoClient

from tools.kafka_client import client_options
from tools.stack.errors import BuildingError, in_short

PATIENCE = 5.0  # seconds for one answer


def check_kafka(address: str, environment: Mapping[str, str] = os.environ) -> None:
    """Fetch the cluster's metadata, as whom the environment names."""
    options = client_options({**environment, "NOTES_KAFKA": address})
    host, _, port = options["bootstrap_servers"].split(",", maxsplit=1)[0].rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), PATIENCE):
        pass  # aiokafka logs an error per failed attempt; this one is quiet

    async def fetch() -> None:
        client = AIOKafkaClient(**options, request_timeout_ms=int(PATIENCE * 1000))
        try:
            await client.bootstrap()
        finally:
            await client.close()

    asyncio.run(fetch())


def check_postgres(url: str) -> None:
    """Run a statement, as this user, in this database."""

    async def ask() -> None:
        connection = await asyncpg.connect(url, timeout=PATIENCE)
        try:
            await connection.execute("SELECT 1")
        finally:
            await connection.close()

    asyncio.run(ask())


def check_mongo(url: str) -> None:
    """Ask for a primary, since a member that cannot take writes is of no use here."""
    with MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=int(PATIENCE * 1000)) as client:
        client.admin.command("ping")
        if not client.is_primary:
            raise ConnectionError("the server is there but is not a primary; is it a replica set?")


def check_service(url: str) -> None:
    """Ask a service whether it is ready to serve; any answer but 200 raises.

    Raises BuildingError: read models that are not complete yet are all that it waits for.
    """
    try:
        with _straight.open(f"{url}/readyz", timeout=PATIENCE) as answer:
            answer.read()
    except HTTPError as error:
        with suppress(ValueError, LookupError, AttributeError, TypeError):  # an answer of somebody else
            parts = json.loads(error.read())["parts"].items()
            reasons = {name: part["reason"] for name, part in parts if not part["ok"]}
            if reasons.keys() == {"read models"}:
                raise BuildingError(reasons["read models"]) from None
        raise


_straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy of the environment
CHECKS = {"postgres": check_postgres, "mongo": check_mongo}


def trouble(name: str, address: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return why the check of that name fails, empty if it does not; Kafka is asked as whom the environment names."""
    try:
        if name == "kafka":
            check_kafka(address, environment)
        else:
            CHECKS.get(name, check_service)(address)
    except Exception as error:  # noqa: BLE001 - any failure is an answer here
        return in_short(error)
    return ""
