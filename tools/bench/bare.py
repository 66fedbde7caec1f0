"""No logic at all: getmany, one insert, raw send, commit; and getmany, insert_many, commit; and find_one, answer.

`outbox` promises what ours does: events are stored with the notes, and sent out of that table. `route` is told the name
of the collection.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from motor.motor_asyncio import AsyncIOMotorClient

TABLES = """
CREATE TABLE notes (id uuid PRIMARY KEY, title text NOT NULL, body text NOT NULL, version int NOT NULL);
CREATE TABLE inbox (id uuid PRIMARY KEY);
CREATE TABLE outbox (number bigserial PRIMARY KEY, key text NOT NULL, event text NOT NULL)
"""
INSERT = """
WITH kept AS (INSERT INTO inbox SELECT unnest($1::uuid[]))
INSERT INTO notes SELECT *, 1 FROM unnest($2::uuid[], $3::text[], $4::text[])
"""
INSERT_BOTH = """
WITH kept AS (INSERT INTO inbox SELECT unnest($1::uuid[])),
     queued AS (INSERT INTO outbox (key, event) SELECT * FROM unnest($5::text[], $6::text[]))
INSERT INTO notes SELECT *, 1 FROM unnest($2::uuid[], $3::text[], $4::text[])
"""
WAITING = "SELECT number, key, event FROM outbox ORDER BY number LIMIT 1000"
SENT = "DELETE FROM outbox WHERE number <= $1"
VIEW = ("title", "preview", "word_count", "tags", "author", "status", "version", "created_at", "updated_at")


async def batches(topic: str, group: str) -> AsyncIterator[list[Any]]:
    consumer = AIOKafkaConsumer(
        os.environ[topic],
        bootstrap_servers=os.environ["NOTES_KAFKA"],
        group_id=os.environ[group],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        while True:
            fetched = await consumer.getmany(timeout_ms=100, max_records=1000)
            if records := [record for group in fetched.values() for record in group]:
                yield records
                await consumer.commit()


async def command(*, outbox: bool = False) -> None:
    connection = await asyncpg.connect(os.environ["NOTES_POSTGRES"])
    await connection.execute(TABLES)
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["NOTES_KAFKA"], enable_idempotence=True, max_batch_size=1024 * 1024
    )
    async with producer, asyncio.TaskGroup() as tasks:
        stored = asyncio.Event()
        if outbox:
            tasks.create_task(relay(producer, stored))
        async for records in batches("NOTES_TOPIC_COMMANDS", "NOTES_COMMAND_GROUP"):
            commands = [json.loads(record.value) for record in records]
            ids = [dict(record.headers)["ce_id"].decode() for record in records]
            columns = [[command[name] for command in commands] for name in ("note_id", "title", "body")]
            events = [json.dumps({**command, "version": 1}) for command in commands]
            if outbox:
                await connection.execute(INSERT_BOTH, ids, *columns, [one.key.decode() for one in records], events)
                stored.set()
            else:
                await connection.execute(INSERT, ids, *columns)
                await send(producer, [(one.key, event) for one, event in zip(records, events, strict=True)])


async def relay(producer: AIOKafkaProducer, stored: asyncio.Event) -> None:
    connection = await asyncpg.connect(os.environ["NOTES_POSTGRES"])
    while await stored.wait():
        stored.clear()
        while rows := await connection.fetch(WAITING):
            await send(producer, [(row["key"].encode(), row["event"]) for row in rows])
            await connection.execute(SENT, rows[-1]["number"])


async def send(producer: AIOKafkaProducer, events: list[tuple[bytes, str]]) -> None:
    topic = os.environ["NOTES_TOPIC_EVENTS"]
    await asyncio.gather(*[await producer.send(topic, event.encode(), key) for key, event in events])


async def query() -> None:
    notes: Any = AsyncIOMotorClient(os.environ["NOTES_MONGO"]).get_default_database()["notes"]
    async for records in batches("NOTES_TOPIC_EVENTS", "NOTES_QUERY_GROUP"):
        documents = [json.loads(record.value) for record in records]
        for document in documents:
            document["_id"] = document.pop("note_id")
        await notes.insert_many(documents, ordered=False)


async def route(collection: str) -> None:
    import uvicorn  # noqa: PLC0415 - nothing for the others to carry
    from pydantic_core import to_json  # noqa: PLC0415
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    notes: Any = AsyncIOMotorClient(os.environ["NOTES_MONGO"]).get_default_database()[collection]

    async def note(request: Request) -> Response:
        found = await notes.find_one({"_id": request.path_params["id"]}, dict.fromkeys(VIEW, 1))
        if found is None:
            return Response(status_code=404)
        found["id"] = found.pop("_id")
        for field in ("created_at", "updated_at"):
            moment: datetime = found[field]
            found[field] = moment.isoformat(timespec="milliseconds") + "Z"
        return Response(to_json(found), media_type="application/json")

    async def ready(_: Request) -> Response:
        return Response()

    app = Starlette(routes=[Route("/notes/{id}", note), Route("/readyz", ready)])
    port = int(os.environ["NOTES_QUERY_PORT"])
    config = uvicorn.Config(app, port=port, access_log=False, log_level="warning", backlog=256)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    parts: dict[str, Callable[..., Coroutine[Any, Any, None]]]
    parts = {"command": command, "outbox": partial(command, outbox=True), "query": query, "route": route}
    part, *words = sys.argv[1:]
    uvloop.run(parts[part](*words))
