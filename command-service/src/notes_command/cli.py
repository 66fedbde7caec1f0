"""The command line: its arguments, and the commands that end by themselves."""

import argparse
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_chassis.kafka.topics import make_topics
from notes_chassis.logs import kinds_of, log_command
from notes_chassis.process import Refused, once
from notes_chassis.terminal import checked
from notes_command.dead_letters import cli as dead_letters_cli
from notes_command.dead_letters.dead_letter import note_filter
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_command.errors import StoreError
from notes_command.outbox import cli as outbox_cli
from notes_command.outbox.store import PostgresOutbox
from notes_command.postgres import create_engine, refusals
from notes_command.settings import Settings, read_settings
from notes_command.snapshots.republish import PostgresSnapshots, republish_all

log = structlog.get_logger()

PROGRESS_S: Final = 5.0
AGAIN: Final = "the same command can be given again: nothing takes effect twice"


def parser() -> argparse.ArgumentParser:
    """Return the parser of `python -m notes_command`."""
    top = argparse.ArgumentParser(prog="notes_command", description="The write side of Notes.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="consume commands, relay the outbox, serve HTTP")
    for name, text in (("migrate", "bring the schema up to date"), ("topics", "create the missing topics")):
        sub = commands.add_parser(name, help=text)
        sub.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for the server (60)")
    dead_letters_cli.add_arguments(commands.add_parser("dead-letters", help="records that nobody could process"))
    outbox = commands.add_parser("outbox", help="what waits to be sent, and what is parked")
    outbox.add_argument("--json", action="store_true", help="for programs")
    what = outbox.add_mutually_exclusive_group()
    what.add_argument("--unpark", metavar="NOTE", help="send the parked records of this note, in order")
    what.add_argument("--drop", metavar="NOTE", help="drop the parked records of this note for good")
    republish = commands.add_parser("republish", help="send snapshots of notes, for readers that missed something")
    which = republish.add_mutually_exclusive_group(required=True)
    which.add_argument("--note", type=checked(note_filter), help="one note")
    which.add_argument("--all", action="store_true", help="all notes; goes on where a killed run stopped")
    republish.add_argument("--per-second", type=checked(_rate), default=500.0, help="notes a second, at most (500)")
    return top


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise ValueError(f"{text!r} is not a number of notes a second; it is above 0")
    return rate


def migrate(arguments: argparse.Namespace) -> int:
    """Bring the schema up to date; return the exit code."""
    # Imported here, because Alembic takes a tenth of a start and nothing else needs it.
    from notes_command.migrations import migrate as migrate_schema  # noqa: PLC0415

    settings = read_settings()
    return uvloop.run(once("PostgreSQL", lambda: migrate_schema(settings.postgres), (StoreError,), arguments.timeout))


def topics(arguments: argparse.Namespace) -> int:
    """Create the topics that are missing, and correct the others; return the exit code."""
    settings = read_settings()
    return make_topics(settings.cluster(), settings.topics, arguments.timeout)


def dead_letters(arguments: argparse.Namespace) -> int:
    """List, show, redrive or drop dead letters; return the exit code."""
    return _on_store(
        arguments,
        lambda engine, settings: dead_letters_cli.dead_letters(
            PostgresDeadLetters(engine, settings.topic_commands), arguments
        ),
    )


def outbox(arguments: argparse.Namespace) -> int:
    """Show the outbox, or unpark or drop the records of a note; return the exit code."""
    return _on_store(
        arguments,
        lambda engine, _: outbox_cli.outbox(
            PostgresOutbox(engine), arguments.unpark, arguments.drop, as_json=arguments.json
        ),
    )


def republish(arguments: argparse.Namespace) -> int:
    """Send snapshots of one note or of all; return the exit code."""

    async def work(engine: AsyncEngine, settings: Settings) -> int:
        snapshots = PostgresSnapshots(engine, settings.topic_events)
        if arguments.note is not None:
            found = await snapshots.one(arguments.note)
            log.info("snapshot written" if found else "there is no such note", note_id=arguments.note)
            return 0 if found else 1
        logged_at = float("-inf")

        def progress(total: int) -> None:
            nonlocal logged_at
            now = time.monotonic()
            if now - logged_at >= PROGRESS_S:
                logged_at = now
                log.info("republishing", notes=total)

        notes = await republish_all(
            snapshots,
            arguments.per_second,
            progress,
            lambda note_id: log.info("going on where an earlier run stopped", behind=note_id),
        )
        log.info("republished", notes=notes)
        return 0

    return _on_store(arguments, work)


def _on_store(arguments: argparse.Namespace, work: Callable[[AsyncEngine, Settings], Awaitable[int]]) -> int:
    settings = read_settings()

    async def run() -> int:
        engine = create_engine(settings.postgres, pool_size=2)
        try:
            with refusals():
                return await work(engine, settings)
        except Refused as error:
            log.error("PostgreSQL refused", reason=str(error))  # noqa: TRY400 - a sentence
            return 1
        except StoreError as error:
            log.error("PostgreSQL did not do as asked", error=kinds_of(error), advice=AGAIN)  # noqa: TRY400 - a sentence
            return 1
        finally:
            await engine.dispose()

    code = uvloop.run(run())
    log_command(arguments, code)
    return code
