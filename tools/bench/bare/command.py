"""No logic at all: getmany, one insert, raw send, commit."""

import asyncio
import json
import os

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

TABLES = """
CREATE TABLE notes (id uuid PRIMARY KEY, title text NOT NULL, body text NOT NULL, version int NOT NULL);
CREATE TABLE inbox (id uuid PRIMARY KEY)
"""
INSERT = """
WITH kept AS (INSERT INTO inbox SELECT unnest($1::uuid[]))
INSERT INTO notes SELECT *, 1 FROM unnest($2::uuid[], $3::text[], $4::text[])
"""


async def main() -> None:
    connection = await asyncpg.connect(os.environ["NOTES_POSTGRES"])
    await connection.execute(TABLES)
    events = os.environ["NOTES_TOPIC_EVENTS"]
    consumer = AIOKafkaConsumer(
        os.environ["NOTES_TOPIC_COMMANDS"],
        bootstrap_servers=os.environ["NOTES_KAFKA"],
        group_id=os.environ["NOTES_COMMAND_GROUP"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["NOTES_KAFKA"], enable_idempotence=True, max_batch_size=1024 * 1024
    )
    async with consumer, producer:
        while True:
            fetched = await consumer.getmany(timeout_ms=100, max_records=1000)
            records = [record for group in fetched.values() for record in group]
            if not records:
                continue
            commands = [json.loads(record.value) for record in records]
            await connection.execute(
                INSERT,
                [dict(record.headers)["ce_id"].decode() for record in records],
                [command["note_id"] for command in commands],
                [command["title"] for command in commands],
                [command["body"] for command in commands],
            )
            sends = [
                await producer.send(events, json.dumps({**command, "version": 1}).encode(), record.key)
                for command, record in zip(commands, records, strict=True)
            ]
            await asyncio.gather(*sends)
            await consumer.commit()


if __name__ == "__main__":
    uvloop.run(main())
