"""A database that tests have one after the other: to empty it takes a twentieth of what making its indexes takes."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pymongo import MongoClient
from pymongo.database import Database

PROFILE = "system.profile"


@dataclass
class KeptDatabase:
    """`url` names the database."""

    url: str
    stored: Database[Any]

    def empty(self) -> None:
        """Remove all documents; collections and their indexes stay. Operations are not written down any more."""
        names = self.stored.list_collection_names()
        if PROFILE in names:
            self.stored.command("profile", 0)
            self.stored.drop_collection(PROFILE)
        for name in set(names) - {PROFILE}:
            self.stored[name].delete_many({})


@contextmanager
def kept(server: str) -> Iterator[KeptDatabase]:
    """Give a database of this process; it goes in the end."""
    name = f"test_{uuid.uuid4().hex}"
    with MongoClient[dict[str, Any]](server, serverSelectionTimeoutMS=30_000) as client:
        yield KeptDatabase(urlunsplit(urlsplit(server)._replace(path=f"/{name}")), client[name])
        client.drop_database(name)
