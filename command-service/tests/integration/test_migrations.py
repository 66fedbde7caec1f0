"""Migrations: from nothing, step by step, by several at once, over a killed one, and while the pipeline writes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from shutil import copytree
from uuid import uuid4

import asyncpg
import pytest
from command_support.builders import NOW, outcome
from command_support.processes import told
from command_support.world import postgres_world
from sqlalchemy import Engine, event

from notes_command import migrations
from notes_command.errors import Blocked
from notes_command.migrations import migrate, versions
from notes_command.pipeline.decide import Result
from notes_command.postgres import create_engine
from notes_command.settings import Settings
from tests.harness.waiting import eventually
from tests.servers.addresses import Servers
from tests.servers.background import Background
from tests.servers.postgres_template import statement, with_database

REVISIONS = sorted(path.name[:4] for path in Path(versions.__path__[0]).glob("0*.py"))
HEAD = REVISIONS[-1]
OF_THIS_DATABASE = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"


@pytest.fixture
def empty_database(servers: Servers, background: Background) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    background.run(statement(servers.postgres, f'CREATE DATABASE "{name}"'))
    yield with_database(servers.postgres, name)
    background.run(statement(servers.postgres, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator["asyncpg.Connection"]:
    connection = await asyncpg.connect(empty_database)
    yield connection
    await connection.close()


async def schema(connection):
    """Return every column, index and constraint there is, and the revision."""
    columns = "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
    found = await connection.fetch(f"{columns} WHERE table_schema = 'public' ORDER BY 1, 2")
    indexes = await connection.fetch(
        "SELECT indexdef, indisvalid FROM pg_indexes JOIN pg_index ON indexrelid = indexname::regclass"
        " WHERE schemaname = 'public' ORDER BY 1"
    )
    return list(map(tuple, found)), list(map(tuple, indexes)), await revision(connection)


async def revision(connection):
    return [row[0] for row in await connection.fetch("SELECT version_num FROM alembic_version")]


async def test_five_that_start_at_once_make_one_schema(empty_database, connection, postgres_database) -> None:
    settings = Settings(postgres=empty_database)
    await connection.execute("SELECT pg_advisory_lock(7240116113)")  # the sixth: so that all five are there at once
    five = asyncio.gather(*(told(settings, "migrate") for _ in range(5)))
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await eventually(
        lambda: connection.fetchval(f"{others} AND backend_type = 'client backend'"),
        lambda found: found >= 5,
        within_s=60,
    )
    assert await connection.fetchval("SELECT to_regclass('notes')") is None, "nobody begins while another is at it"
    await connection.execute("SELECT pg_advisory_unlock_all()")
    done = await five
    assert [one.code for one in done] == [0] * 5, done
    assert not any("waiting for PostgreSQL" in one.err for one in done), "none failed on another, to try again"
    was = [line["was"] for one in done for line in map(json.loads, one.err.splitlines()) if "was" in line]
    assert sorted(was, key=str) == [HEAD] * 4 + [None], "one did it, the others found it done"
    template = await asyncpg.connect(postgres_database)
    assert await schema(connection) == await schema(template)
    assert await revision(connection) == [HEAD]
    await template.close()


async def test_step_by_step_is_the_same_as_at_once_and_repeating_changes_nothing(
    empty_database, connection, postgres_database
) -> None:
    for number in REVISIONS:
        await migrate(empty_database, number)
        assert await revision(connection) == [number]
    before = await schema(connection)
    await migrate(empty_database)
    assert await schema(connection) == before
    template = await asyncpg.connect(postgres_database)
    assert before == await schema(template)
    await template.close()


async def test_a_schema_of_a_newer_release_is_left_alone(empty_database, connection) -> None:
    await migrate(empty_database)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    done = await told(Settings(postgres=empty_database), "migrate")
    assert done.code == 0
    assert "the schema is of a newer release, nothing to do" in done.err
    assert await revision(connection) == ["9999"]


async def test_what_a_killed_migration_left_is_replaced(empty_database, connection) -> None:
    await migrate(empty_database, "0002")
    await connection.execute("CREATE INDEX inbox_at ON inbox (status)")
    await migrate(empty_database)
    found = await connection.fetch("SELECT indexdef FROM pg_indexes WHERE indexname = 'inbox_at'")
    assert [row[0] for row in found] == ["CREATE INDEX inbox_at ON public.inbox USING btree (at)"]


async def test_the_pipeline_goes_on_while_indexes_are_built(empty_database, connection) -> None:
    """A transaction that was open before is waited for; those that come meanwhile are not held up."""
    await migrate(empty_database, "0002")
    for table in ("inbox", "outbox"):  # this release writes them; the one that served on this schema did not
        await connection.execute(f"ALTER TABLE {table} ADD COLUMN authtype text, ADD COLUMN authid text")
    engine = create_engine(empty_database)
    world = postgres_world(engine)
    async with world.store.transaction("before", [0]) as unit:
        await unit.save(Result(outcomes=[outcome(at=NOW)]))
        migrating = asyncio.create_task(migrate(empty_database))
        async with asyncio.timeout(30):
            await eventually(lambda: building(connection))
            for _ in range(20):
                await world.save(Result(outcomes=[outcome(at=NOW)]))
        assert not migrating.done()
    await asyncio.wait_for(migrating, 30)
    await engine.dispose()
    assert await revision(connection) == [HEAD]
    assert (await connection.fetchval("SELECT count(*) FROM inbox")) == 21


async def building(connection):
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return await connection.fetchval(f"{waiting} AND query LIKE 'CREATE INDEX CONCURRENTLY%'")


async def test_a_change_that_cannot_have_its_lock_gives_up_soon_and_comes_again(empty_database, connection) -> None:
    """Waiting for its lock, it would make every later statement wait behind it."""
    await migrate(empty_database, "0001")
    async with connection.transaction():
        await connection.execute("LOCK TABLE dead_letters IN ACCESS SHARE MODE")
        migrating = asyncio.create_task(told(Settings(postgres=empty_database), "migrate", "--timeout", "60"))
        probe = await asyncpg.connect(empty_database)
        async with asyncio.timeout(60):
            await eventually(
                lambda: probe.fetchval(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND {OF_THIS_DATABASE}")
            )
            await probe.fetchval("SELECT count(*) FROM dead_letters")
        await probe.close()
    done = await migrating
    assert done.code == 0, done
    assert "waiting for PostgreSQL" in done.err
    assert await revision(connection) == [HEAD]


READ_FOR_LONG = [("0002", "outbox", "0004"), ("0003", "dead_letters", "0003")]


@pytest.mark.parametrize(("before", "table", "stops_at"), READ_FOR_LONG)
async def test_a_table_that_another_reads_for_long_is_not_waited_for_after_indexes_were_built(
    empty_database, connection, before, table, stops_at
) -> None:
    """Indexes wait without limit: what comes after them in the same session must not."""
    await migrate(empty_database, before)
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")  # as pg_dump does
        migrating = asyncio.create_task(migrate(empty_database))
        third = await asyncpg.connect(empty_database)
        async with asyncio.timeout(30):
            await eventually(
                lambda: third.fetchval(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND {OF_THIS_DATABASE}")
            )
            await third.fetchval(f"SELECT count(*) FROM {table}")
            with pytest.raises(Blocked):
                await migrating
        await third.close()
    assert await revision(connection) == [stops_at]
    await migrate(empty_database)
    assert await revision(connection) == [HEAD]


@pytest.fixture
def impatient() -> Iterator[list[str]]:
    """Give what is executed with another patience than that of migrations, whoever set it."""
    found: list[str] = []

    def before(connection, _, statement, *__) -> None:
        if not statement.startswith(("SHOW", "SET")):
            patience = connection.exec_driver_sql("SHOW lock_timeout").scalar()
            found.extend([statement.strip()] if patience != "5s" else [])

    def listen(connection) -> None:
        event.listen(connection, "before_cursor_execute", before)

    event.listen(Engine, "engine_connect", listen)
    yield found
    event.remove(Engine, "engine_connect", listen)


async def test_every_migration_waits_briefly_but_for_indexes_that_hold_up_nobody(empty_database, impatient) -> None:
    await migrate(empty_database)
    assert impatient, "this test sees what is executed"
    assert [one for one in impatient if " INDEX CONCURRENTLY " not in one and "pg_try_advisory_lock" not in one] == []


FORGETS = """
    op.execute("SET lock_timeout = 0")
"""
RAISES = """
    try:
        with unlimited():
            raise ValueError
    except ValueError:
        op.execute("ALTER TABLE inbox ADD COLUMN further text")
"""
NEXT = """
    op.execute("ALTER TABLE outbox ADD COLUMN further text")
"""


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Give what adds migrations to those that there are."""
    copy = copytree(Path(migrations.__file__).parent, tmp_path / "migrations")
    monkeypatch.setattr(migrations, "__file__", str(copy / "__init__.py"))
    begins = "from alembic import op\nfrom notes_command.migrations import unlimited"

    def add(number: str, before: str, body: str) -> None:
        text = f"{begins}\nrevision = {number!r}\ndown_revision = {before!r}\ndef upgrade():{body}"
        (copy / f"versions/{number}_planted.py").write_text(text)

    return add


@pytest.mark.parametrize("body", [FORGETS, RAISES], ids=["it forgets", "it raises"])
async def test_a_migration_that_changes_its_patience_does_not_change_it_for_what_follows(
    empty_database, connection, impatient, plant, body
) -> None:
    plant("9001", HEAD, body)
    plant("9002", "9001", NEXT)
    await migrate(empty_database)
    assert await revision(connection) == ["9002"]
    assert not [one for one in impatient if one.startswith("ALTER")]
