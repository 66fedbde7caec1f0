"""The second composition root: what is done once, from the command line, and ends."""

import argparse
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import uvloop
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_chassis.exceptions import kinds_of
from notes_chassis.kafka.topics import TopicMismatch, provision
from notes_chassis.once import Refused, once
from notes_command.adapters.postgres.dead_letters import PostgresDeadLetters
from notes_command.adapters.postgres.engine import create_engine
from notes_command.adapters.postgres.errors import refusals
from notes_command.adapters.postgres.migrate import migrate as migrate_schema
from notes_command.adapters.postgres.outbox import PostgresOutbox
from notes_command.adapters.postgres.snapshots import PostgresSnapshots
from notes_command.application.ports import StoreError
from notes_command.application.republish import RepublishAll
from notes_command.entrypoints.cli import dead_letters as dead_letters_cli
from notes_command.entrypoints.cli import outbox as outbox_cli
from notes_command.settings import Settings, read_settings

log = structlog.get_logger()

PROGRESS_S: Final = 5.0


def migrate(arguments: argparse.Namespace) -> int:
    """Bring the schema up to date; return the exit code."""
    settings = read_settings()
    if settings is None:
        return 2
    return uvloop.run(once("PostgreSQL", lambda: migrate_schema(settings.postgres), (StoreError,), arguments.timeout))


def topics(arguments: argparse.Namespace) -> int:
    """Create the topics that are missing, mend the others; return the exit code."""
    settings = read_settings()
    if settings is None:
        return 2

    async def create() -> None:
        created, mended = await provision(settings.kafka, settings.topics)
        log.info("topics are there", created=created, mended=mended)

    try:
        return uvloop.run(once("Kafka", create, (OSError, TimeoutError, KafkaError), arguments.timeout))
    except TopicMismatch as error:
        log.error("refused", reason=str(error))  # noqa: TRY400 - a sentence, not a traceback
        return 1


def dead_letters(arguments: argparse.Namespace) -> int:
    """List, show, redrive or drop dead letters; return the exit code."""
    return _on_store(
        lambda engine, settings: dead_letters_cli.dead_letters(
            PostgresDeadLetters(engine, settings.topic_commands), arguments
        )
    )


def outbox(arguments: argparse.Namespace) -> int:
    """Show the outbox, or send or drop what is parked of a note; return the exit code."""
    return _on_store(
        lambda engine, _: outbox_cli.outbox(
            PostgresOutbox(engine), arguments.unpark, arguments.drop, as_json=arguments.json
        )
    )


def republish(arguments: argparse.Namespace) -> int:
    """Send snapshots of one note or of all; return the exit code."""

    async def work(engine: AsyncEngine, settings: Settings) -> int:
        snapshots = PostgresSnapshots(engine, settings.topic_events)
        if arguments.note is not None:
            found = await snapshots.one(arguments.note)
            log.info("snapshot written" if found else "there is no such note", note_id=arguments.note)
            return 0 if found else 1
        run = RepublishAll(
            snapshots,
            arguments.per_second,
            every(PROGRESS_S, lambda total: log.info("republishing", notes=total)),
            lambda note_id: log.info("going on where an earlier run stopped", behind=note_id),
        )
        log.info("republished", notes=await run())
        return 0

    return _on_store(work)


def every(seconds: float, tell: Callable[[int], None]) -> Callable[[int], None]:
    """Return `tell`, which keeps silent for that long after it has spoken."""
    spoken = float("-inf")

    def sparse(total: int) -> None:
        nonlocal spoken
        if (now := time.monotonic()) - spoken >= seconds:
            spoken = now
            tell(total)

    return sparse


def _on_store(work: Callable[[AsyncEngine, Settings], Awaitable[int]]) -> int:
    settings = read_settings()
    if settings is None:
        return 2

    async def run() -> int:
        engine = create_engine(settings.postgres, pool_size=2)
        try:
            with refusals():
                return await work(engine, settings)
        except Refused as error:
            log.error("PostgreSQL refused", reason=str(error))  # noqa: TRY400 - a sentence
            return 1
        except StoreError as error:
            log.error("PostgreSQL did not do as asked", error=kinds_of(error))  # noqa: TRY400 - a sentence
            return 1
        finally:
            await engine.dispose()

    return uvloop.run(run())
