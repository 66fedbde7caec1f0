"""What one writes first: a handler and an ORM session per message, publish after commit; and an upsert per event."""

import os
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["NOTES_POSTGRES"].replace("postgresql://", "postgresql+asyncpg://"))
notes: Any = AsyncIOMotorClient(os.environ["NOTES_MONGO"]).get_default_database()["notes"]
session_of = async_sessionmaker(engine, expire_on_commit=False)
broker = KafkaBroker(os.environ["NOTES_KAFKA"], enable_idempotence=True)
app = FastStream(broker)


class CreateNote(BaseModel):
    note_id: str
    title: str
    body: str = ""
    tags: list[str] = []
    author: str | None = None


class UpdateNote(BaseModel):
    note_id: str
    body: str


class Event(BaseModel):
    type: str
    note_id: str
    version: int
    body: str
    title: str | None = None
    tags: list[str] | None = None
    author: str | None = None
    occurred_at: str


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    version: Mapped[int]


class Processed(Base):
    __tablename__ = "processed_commands"
    id: Mapped[str] = mapped_column(primary_key=True)


async def create_tables() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


async def handle(command: CreateNote | UpdateNote, message: KafkaMessage) -> None:
    command_id = message.headers["ce_id"]
    async with session_of() as session, session.begin():
        if await session.get(Processed, command_id):
            return
        session.add(Processed(id=command_id))
        if isinstance(command, CreateNote):
            session.add(Note(id=command.note_id, title=command.title, body=command.body, version=1))
            event = {"type": "note-created", "version": 1, **command.model_dump()}
        else:
            note = await session.get_one(Note, command.note_id)
            note.body, note.version = command.body, note.version + 1
            event = {"type": "note-updated", "version": note.version, **command.model_dump()}
    event["occurred_at"] = datetime.now(UTC).isoformat()
    await broker.publish(
        event,
        os.environ["NOTES_TOPIC_EVENTS"],
        key=command.note_id.encode(),
        headers={"ce_id": str(uuid4()), "ce_causationid": command_id},
    )


async def project(event: Event) -> None:
    fields: dict[str, Any] = event.model_dump(exclude={"type", "note_id"}, exclude_none=True)
    fields |= {"preview": event.body[:100], "word_count": len(event.body.split()), "status": "active"}
    await notes.update_one({"_id": event.note_id}, {"$set": fields}, upsert=True)


if __name__ == "__main__":
    parts: Any = {"command": ("COMMANDS", "COMMAND", handle), "query": ("EVENTS", "QUERY", project)}
    kind, group, handler = parts[sys.argv[1]]
    if handler is handle:
        app.on_startup(create_tables)
    broker.subscriber(
        os.environ[f"NOTES_TOPIC_{kind}"],
        group_id=os.environ[f"NOTES_{group}_GROUP"],
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )(handler)
    uvloop.run(app.run())
