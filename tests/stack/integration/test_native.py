"""Native servers keep their data and their ports, and survive a launcher that is killed."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from pymongo import MongoClient

from tools.stack.folder import REPOSITORY, Folder
from tools.stack.launcher import start_mark
from tools.stack.native import start_servers, stop_servers
from tools.stack.ports import RANGE, is_free
from tools.stack.postgres import copy_installation, find_programs, purge
from tools.stack.process import load

KILL_ME = """
import sys
from pathlib import Path
from tools.stack.folder import Folder
from tools.stack.native import start_servers
start_servers(Folder(Path(sys.argv[1])), ["postgres"], fast=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path / "stack")
    yield made
    stop_servers(made, at_once=True)
    purge(made)


async def test_postgres_keeps_data_and_port(folder: Folder):
    url = start_servers(folder, ["postgres"], fast=True)["postgres"]
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    await connection.close()
    stop_servers(folder)
    assert start_servers(folder, ["postgres"], fast=True)["postgres"] == url
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT one FROM kept") == 1
    await connection.close()


def test_programs_still_run_as_a_copy_that_another_user_may_enter(tmp_path: Path):
    programs = find_programs()
    copy_installation(programs.parent, tmp_path)
    for name in ("initdb", "postgres"):
        program = tmp_path / programs.relative_to(programs.parents[2]) / name
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        assert "PostgreSQL" in shown.stdout


def test_mongo_moves_to_another_port_with_its_data(folder: Folder):
    first = start_servers(folder, ["mongo"], fast=True)["mongo"]
    with MongoClient(first) as client:
        client.notes.kept.insert_one({"_id": 1})
    stop_servers(folder)
    another = next(port for port in random.sample(RANGE, 100) if is_free(port) and str(port) not in first)
    folder.ports_file.write_text(json.dumps({"mongo": another}))
    second = start_servers(folder, ["mongo"], fast=True)["mongo"]
    assert second != first
    with MongoClient(second) as client:
        assert client.notes.kept.find_one() == {"_id": 1}


def test_a_launcher_that_is_killed_leaves_a_server_that_the_next_one_joins(folder: Folder):
    launcher = subprocess.Popen([sys.executable, "-c", KILL_ME, str(folder.root)], cwd=REPOSITORY)
    deadline = time.monotonic() + 60
    while not (record := load(folder, "postgres")):
        assert launcher.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    launcher.kill()
    launcher.wait()
    address = start_servers(folder, ["postgres"], fast=True)["postgres"]
    joined = load(folder, "postgres")
    assert joined == record
    assert address == record.address
    stop_servers(folder)
    assert start_mark(record.pid) is None
