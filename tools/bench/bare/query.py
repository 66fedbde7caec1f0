"""No logic at all: getmany, insert_many, commit."""

import json
import os
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer
from motor.motor_asyncio import AsyncIOMotorClient


async def main() -> None:
    notes: Any = AsyncIOMotorClient(os.environ["NOTES_MONGO"]).get_default_database()["notes"]
    consumer = AIOKafkaConsumer(
        os.environ["NOTES_TOPIC_EVENTS"],
        bootstrap_servers=os.environ["NOTES_KAFKA"],
        group_id=os.environ["NOTES_QUERY_GROUP"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        while True:
            fetched = await consumer.getmany(timeout_ms=100, max_records=1000)
            documents = []
            for group in fetched.values():
                for record in group:
                    event = json.loads(record.value)
                    event["_id"] = event.pop("note_id")
                    documents.append(event)
            if documents:
                await notes.insert_many(documents, ordered=False)
                await consumer.commit()


if __name__ == "__main__":
    uvloop.run(main())
