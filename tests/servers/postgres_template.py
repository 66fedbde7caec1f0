"""A migrated database that is made once per session and copied for each test."""

import os
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

from filelock import FileLock

from tests.servers.session import ServersUnavailableError, Session
from tools.stack.errors import last_lines
from tools.stack.folder import REPOSITORY

MIGRATED = "template.migrated"
MIGRATION_SECONDS = 90


def with_database(url: str, name: str) -> str:
    """Return the URL with another database in its path."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def template_name(session: Session) -> str:
    return f"notes_template_{session.folder.name.rpartition('-')[2]}"


async def statement(url: str, text: str) -> None:
    import asyncpg  # noqa: PLC0415 - slow to import, and unit tests load this file

    connection = await asyncpg.connect(url, timeout=30)
    try:
        await connection.execute(text)
    finally:
        await connection.close()


async def ensure_template(session: Session, url: str) -> str:
    """Return the template's name, after migrating it if no worker has."""
    name, marker = template_name(session), session.folder / MIGRATED
    with FileLock(session.folder / "template.lock"):
        if not marker.exists():
            await statement(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await statement(url, f'CREATE DATABASE "{name}"')
            migrate(session, with_database(url, name))
            marker.touch()
    return name


def migrate(session: Session, url: str) -> None:
    log = session.folder / "migrate.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "notes_command", "migrate"],
            env={**os.environ, "NOTES_POSTGRES": url},
            cwd=REPOSITORY,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=MIGRATION_SECONDS,
            check=False,
        )
    if done.returncode:
        lines = "\n".join(f"  | {line}" for line in last_lines(log, 20))
        raise ServersUnavailableError(f"`python -m notes_command migrate` failed.\n{lines}\n  Log: {log}")


async def drop_template(session: Session, url: str) -> None:
    """Leave nothing behind in a server that is not ours."""
    if (session.folder / MIGRATED).exists():
        await statement(url, f'DROP DATABASE IF EXISTS "{template_name(session)}" WITH (FORCE)')
