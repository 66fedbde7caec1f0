"""PgBouncer: in transaction mode it is refused in a sentence, in session mode it works."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from command_support.processes import told

from notes_command.pooler import HELP, SharedSession
from notes_command.postgres import SESSION, connect
from notes_command.settings import Settings
from notes_command.signals import CommitListener
from tools.stack.ports import any_port
from tools.stack.process import poll

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
Pooled = Callable[..., str]

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is in no package that the tests install")


@pytest.fixture
def pooled(postgres_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooled]:
    """Give what starts PgBouncer in front of this test's database, and returns its URL."""
    running: list[subprocess.Popen[bytes]] = []

    def start(mode: str, *, lets_settings_go: bool) -> str:
        port, there = any_port(), urlsplit(postgres_database)
        ignored = ",".join(("extra_float_digits", "timezone", *SESSION)) if lets_settings_go else ""
        place = f"host={there.hostname} port={there.port} user={there.username} password={there.password}"
        file = tmp_path_factory.mktemp("pgbouncer") / "pgbouncer.ini"
        file.write_text(
            f"[databases]\n* = {place}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
            f"unix_socket_dir =\npool_mode = {mode}\nignore_startup_parameters = {ignored}\n"
        )
        command = [str(PGBOUNCER), str(file)]
        if os.geteuid() == 0:  # it does not run as root, and gives that up once it has read its file
            command += ["-u", "nobody"]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        url = f"postgresql://{there.username}@127.0.0.1:{port}{there.path}"
        poll(lambda: _answers(port))
        return url

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), 1).close()


@pytest.mark.parametrize("lets_settings_go", [False, True])
async def test_a_pool_of_transactions_is_refused_in_one_sentence(pooled: Pooled, lets_settings_go: bool) -> None:
    url = pooled("transaction", lets_settings_go=lets_settings_go)
    with pytest.raises(SharedSession):
        await connect(url)
    for words in (["migrate", "--timeout", "0"], ["outbox"]):
        done = await told(Settings(postgres=url), *words)
        assert (done.code, done.out) == (1, "")
        assert HELP in done.err
        assert "Traceback" not in done.err


async def test_a_pool_of_sessions_works(pooled: Pooled) -> None:
    url = pooled("session", lets_settings_go=True)
    connection = await connect(url)
    assert await connection.fetchval("SELECT 1") == 1
    heard: asyncio.Queue[None] = asyncio.Queue()
    listening = asyncio.create_task(CommitListener(url, [lambda: heard.put_nowait(None)]).run())
    async with asyncio.timeout(20):
        await heard.get()  # it listens
        await connection.execute("NOTIFY notes_command")
        await heard.get()
    listening.cancel()
    await asyncio.wait([listening])
    await connection.close()
