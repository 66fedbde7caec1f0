"""PostgreSQL on TCP of 127.0.0.1 only, with the user, password and database `notes`."""

import asyncio
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import asyncpg

from tools.stack.errors import StartError
from tools.stack.folder import Folder, build_once
from tools.stack.health import PATIENCE, check_postgres
from tools.stack.ports import Ports
from tools.stack.postgres_programs import find_programs, has_library
from tools.stack.process import Launch
from tools.stack.progress import Steps
from tools.stack.unprivileged import account, reachable_data, reachable_programs

NAME, TITLE = "postgres", "PostgreSQL"
WHO = "notes"  # user, password and database, as in docker-compose.yml


class Postgres:
    """Programs out of a package or of this machine."""

    name, title = NAME, TITLE

    def __init__(self, *, fast: bool = False) -> None:
        """Do without fsync if fast: data survive a killed server, though not a crash of the machine."""
        self._fast = fast
        self._pid_file: Path | None = None

    def prepare(self, folder: Folder, ports: Ports, steps: Steps) -> tuple[str, Launch]:
        """Make the cluster where there is none."""
        user = account()
        programs, data = reachable_programs(find_programs()), folder.data(NAME)
        if user:
            data = reachable_data(data)
        if not data.exists():
            with steps.step("PostgreSQL: make a cluster"):
                build_once(data, lambda new: self._initialise(programs, new, user, folder.log("postgres-initdb")))
        self._pid_file = data / "postmaster.pid"
        port = ports.choose(NAME)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 200,
        }
        if self._fast:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        if has_library(programs, "pg_stat_statements"):
            settings |= {"shared_preload_libraries": "pg_stat_statements"}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        argv = [str(programs / "postgres"), "-D", str(data.resolve()), *options]
        return f"postgresql://{WHO}:{WHO}@127.0.0.1:{port}/{WHO}", Launch(argv, [port], user=user)

    def _initialise(self, programs: Path, new: Path, user: str | None, log: Path) -> None:
        if user:
            entry = pwd.getpwnam(user)
            os.chown(new, entry.pw_uid, entry.pw_gid)
        new.chmod(0o700)
        password = new.with_name(f"{new.name}.password")
        password.write_text(f"{WHO}\n")
        command = [
            str(programs / "initdb"),
            "-D",
            str(new.resolve()),
            "-U",
            WHO,
            f"--pwfile={password.resolve()}",
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions"]
        if self._fast:
            command.append("--no-sync")
        with log.open("wb") as output:
            done = subprocess.run(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
                cwd="/",
                check=False,
            )
        password.unlink()
        if done.returncode:
            raise StartError("PostgreSQL did not start: initdb failed", log)

    def settle(self, address: str) -> None:
        """Raise until the server answers; make the database if it is not there.

        It writes into its file when it is ready; a connection before that would be an error in its log.
        """
        if self._pid_file and "ready" not in self._pid_file.read_text():
            raise ConnectionError("the server is starting")
        asyncio.run(ensure_database(address))
        check_postgres(address)


async def ensure_database(url: str) -> None:
    """Create the URL's database if it is not there."""
    server, _, database = url.rpartition("/")
    connection = await asyncpg.connect(f"{server}/postgres", timeout=PATIENCE)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(f'CREATE DATABASE "{database}"')
    finally:
        await connection.close()


def purge(folder: Folder) -> None:
    """Remove the files, also where they had to go elsewhere, and what a killed `initdb` left."""
    data = reachable_data(folder.data(NAME))
    for path in (data, *data.parent.glob(f"{data.name}.new-*")):
        shutil.rmtree(path, ignore_errors=True)
