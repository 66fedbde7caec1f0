"""What one writes first: one upsert per event."""

import os
from typing import Any

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import BaseModel

broker = KafkaBroker(os.environ["NOTES_KAFKA"])
app = FastStream(broker)
notes: Any = AsyncIOMotorClient(os.environ["NOTES_MONGO"]).get_default_database()["notes"]


class Event(BaseModel):
    type: str
    note_id: str
    version: int
    body: str
    title: str | None = None
    tags: list[str] | None = None
    author: str | None = None
    occurred_at: str


@broker.subscriber(
    os.environ["NOTES_TOPIC_EVENTS"],
    group_id=os.environ["NOTES_QUERY_GROUP"],
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.NACK_ON_ERROR,
)
async def project(event: Event) -> None:
    fields: dict[str, Any] = event.model_dump(exclude={"type", "note_id"}, exclude_none=True)
    fields |= {"preview": event.body[:100], "word_count": len(event.body.split()), "status": "active"}
    await notes.update_one({"_id": event.note_id}, {"$set": fields}, upsert=True)


if __name__ == "__main__":
    uvloop.run(app.run())
