"""No logic at all: getmany, one insert, raw send, commit; and getmany, insert_many, commit."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from motor.motor_asyncio import AsyncIOMotorClient

TABLES = """
CREATE TABLE notes (id uuid PRIMARY KEY, title text NOT NULL, body text NOT NULL, version int NOT NULL);
CREATE TABLE inbox (id uuid PRIMARY KEY)
"""
INSERT = """
WITH kept AS (INSERT INTO inbox SELECT unnest($1::uuid[]))
INSERT INTO notes SELECT *, 1 FROM unnest($2::uuid[], $3::text[], $4::text[])
"""


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


async def command() -> None:
    connection = await asyncpg.connect(os.environ["NOTES_POSTGRES"])
    await connection.execute(TABLES)
    events = os.environ["NOTES_TOPIC_EVENTS"]
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["NOTES_KAFKA"], enable_idempotence=True, max_batch_size=1024 * 1024
    )
    async with producer:
        async for records in batches("NOTES_TOPIC_COMMANDS", "NOTES_COMMAND_GROUP"):
            commands = [json.loads(record.value) for record in records]
            ids = [dict(record.headers)["ce_id"].decode() for record in records]
            columns = ([command[name] for command in commands] for name in ("note_id", "title", "body"))
            await connection.execute(INSERT, ids, *columns)
            sends = [
                await producer.send(events, json.dumps({**command, "version": 1}).encode(), record.key)
                for command, record in zip(commands, records, strict=True)
            ]
            await asyncio.gather(*sends)


async def query() -> None:
    notes: Any = AsyncIOMotorClient(os.environ["NOTES_MONGO"]).get_default_database()["notes"]
    async for records in batches("NOTES_TOPIC_EVENTS", "NOTES_QUERY_GROUP"):
        documents = [json.loads(record.value) for record in records]
        for document in documents:
            document["_id"] = document.pop("note_id")
        await notes.insert_many(documents, ordered=False)


if __name__ == "__main__":
    uvloop.run({"command": command, "query": query}[sys.argv[1]]())
