"""PostgreSQL over TLS as URLs ask for it, on a server of its own; and poolers, which are refused."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import asyncpg
import pytest
from command_support.processes import told

from notes_command.migrations import migrate
from notes_command.postgres import borrowed, connect, create_engine
from notes_command.settings import Settings
from notes_command.signals import CommitListener
from tests.harness.certificates import certificates
from tools.stack import postgres
from tools.stack.folder import Folder
from tools.stack.native import start_servers, stop_servers

TLS = {"ssl_cert_file": "server.pem", "ssl_key_file": "server.pem", "ssl": "on"}
TLS_ONLY = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def closed_postgres(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[str]:
    """Give the URL of a server that only speaks TLS."""
    if not postgres.installed():
        pytest.skip("PostgreSQL of the package is built without TLS, and this machine has no other")
    folder = Folder(tmp_path_factory.mktemp("closed-postgres"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(postgres, "packaged", lambda: None)
            url = start_servers(folder, ["postgres"], fast=True)["postgres"]
        data = Path(asyncio.run(_say(url, "SHOW data_directory")))
        pem = data / "server.pem"
        shutil.copyfile(files / "server.pem", pem)
        pem.chmod(0o600)
        os.chown(pem, data.stat().st_uid, data.stat().st_gid)
        (data / "pg_hba.conf").write_text(TLS_ONLY)
        changes = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in TLS.items()]
        asyncio.run(_say(url, *changes, "SELECT pg_reload_conf()"))
        yield url
    finally:
        stop_servers(folder, at_once=True)


async def _say(url: str, *statements: str) -> str:
    """Return what the last one answers."""
    connection = await asyncpg.connect(url)
    try:
        return str([await connection.fetchval(statement) for statement in statements][-1])
    finally:
        await connection.close()


def address(url: str, host: str = "127.0.0.1", **query: object) -> str:
    parts = urlsplit(url)
    place = ",".join(f"{name}:{parts.port}" for name in host.split(","))
    return f"postgresql://notes:notes@{place}{parts.path}?{urlencode(query)}"


@pytest.mark.parametrize(
    ("host", "query"),
    [
        ("127.0.0.1", {"sslmode": "require"}),
        ("127.0.0.1", {"sslmode": "verify-full", "sslrootcert": "ca.pem"}),
        ("localhost", {"sslmode": "verify-ca", "sslrootcert": "ca.pem"}),
        ("127.0.0.2,127.0.0.1", {"sslmode": "verify-full", "sslrootcert": "ca.pem"}),
        (
            "127.0.0.1",
            {
                "sslmode": "verify-full",
                "sslrootcert": "ca.pem",
                "target_session_attrs": "read-write",
                "application_name": "who",
                "options": "-c work_mem=8MB",
            },
        ),
    ],
)
async def test_migrations_pool_and_listener_go_over_tls(
    closed_postgres: str, files: Path, host: str, query: dict[str, str]
) -> None:
    paths = {key: str(files / value) if key == "sslrootcert" else value for key, value in query.items()}
    url = address(closed_postgres, host, **paths)
    await migrate(url)
    engine = create_engine(url)
    async with borrowed(engine) as pooled:
        assert await pooled.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        if "application_name" in query:
            assert await pooled.fetchval("SHOW application_name") == "who"
            assert await pooled.fetchval("SHOW work_mem") == "8MB"
    await engine.dispose()
    heard = asyncio.Event()
    listening = asyncio.create_task(CommitListener(url, [heard.set]).run())
    async with asyncio.timeout(10):
        await heard.wait()
    listening.cancel()
    await asyncio.wait([listening])


@pytest.mark.parametrize(
    ("host", "query", "sentence"),
    [
        ("127.0.0.1", {"sslmode": "disable"}, "no encryption"),
        ("127.0.0.1", {"sslmode": "verify-full", "sslrootcert": "stranger.pem"}, "certificate verify failed"),
        ("127.0.0.1", {"sslmode": "verify-ca", "sslrootcert": "stranger.pem"}, "certificate verify failed"),
        ("localhost", {"sslmode": "verify-full", "sslrootcert": "ca.pem"}, "Hostname mismatch"),
    ],
)
async def test_what_is_not_to_be_trusted_is_refused_in_one_sentence(
    closed_postgres: str, files: Path, host: str, query: dict[str, str], sentence: str
) -> None:
    paths = {key: str(files / value) if key == "sslrootcert" else value for key, value in query.items()}
    done = await told(Settings(postgres=address(closed_postgres, host, **paths)), "migrate", "--timeout", "0")
    assert (done.code, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert "PostgreSQL refused" in line
    assert sentence in line
    assert "notes:notes" not in line
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await connect(address(closed_postgres, host, **paths))
