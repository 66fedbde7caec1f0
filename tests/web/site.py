"""The whole system for browsers, on servers and topics of its own: command-service, projector, API, and the page."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from pymongo import MongoClient

from notes_contracts.topics import TOPICS
from tests.e2e.service_process import ServiceProcess
from tests.harness.waiting import pauses
from tests.servers.addresses import Servers
from tests.servers.background import Background
from tests.servers.kafka import Topics, create, delete
from tests.servers.postgres_template import statement, with_database

WITHIN_S = 60.0
READY_WITHIN_S = 180.0
"""Four processes start at once, which a busy machine takes long for."""
TOPIC_SETTINGS = ("COMMANDS", "EVENTS", "OUTCOMES", "COMMAND_DEAD_LETTERS", "EVENT_DEAD_LETTERS")


@dataclass
class Site:
    """Its processes, a client of both services, and the names of its topics."""

    command: ServiceProcess
    query: ServiceProcess
    projector: ServiceProcess
    page: ServiceProcess
    http: httpx.Client
    topics: Topics

    def show_logs(self) -> None:
        """Print the last lines of each process, which pytest shows where a test has failed."""
        _show_logs(self.command, self.query, self.projector, self.page)

    def post(self, name: str, wait: int = 10, **data: Any) -> dict[str, Any]:
        """Send a command as another client would, and return its outcome (without `wait` that it was taken)."""
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        answer = self.http.post(f"{self.command.url}/commands/{name}", json=data, headers=headers)
        return dict(answer.json())

    def note(self, title: str, body: str = "", tags: tuple[str, ...] = ()) -> str:
        """Make a note, and return its id once it can be read."""
        outcome = self.post("create-note", title=title, body=body, tags=list(tags))
        assert outcome["status"] == "accepted", outcome
        note_id = str(outcome["note_id"])
        assert self.read(note_id, 1)["version"] >= 1
        return note_id

    def found(self, words: str, count: int) -> None:
        """Return once a search finds so many notes: its documents come a moment after the notes themselves."""

        def search() -> bool:
            items = self.http.get(f"{self.query.url}/notes/search", params={"q": words}).json()["items"]
            return len(items) >= count

        until(search)

    def read(self, note_id: str, version: int = 0) -> dict[str, Any]:
        """Return the note as the read side has it, with its body, waiting for a version."""
        waiting = {"min_version": version, "wait": 10} if version else {}
        view = self.http.get(f"{self.query.url}/notes/{note_id}", params=waiting).json()
        body = self.http.get(f"{self.query.url}/notes/{note_id}/body").json()
        return {**view, "body": body["body"]}

    def written(self, note_id: str) -> dict[str, Any]:
        """Return the note as the write side has it."""
        return dict(self.http.get(f"{self.command.url}/notes/{note_id}").json())


@contextmanager
def running_site(
    servers: Servers, template: str, background: Background, folder: Path, **settings: str
) -> Iterator[Site]:
    """Start everything, with these settings beside those that it needs, and take it all away again."""
    database, prefix = f"test_{uuid.uuid4().hex}", f"test-{uuid.uuid4().hex[:12]}"
    topics = Topics(*(f"{prefix}.{topic.name}" for topic in TOPICS))
    names = dict(zip(TOPIC_SETTINGS, astuple(topics), strict=True))
    environment = {
        "NOTES_KAFKA": servers.kafka,
        "NOTES_POSTGRES": with_database(servers.postgres, database),
        "NOTES_MONGO": urlunsplit(urlsplit(servers.mongo)._replace(path=f"/{database}")),
        "NOTES_COMMAND_GROUP": f"{prefix}.notes-command",
        "NOTES_QUERY_GROUP": f"{prefix}.notes-query",
        **{f"NOTES_TOPIC_{name}": topic for name, topic in names.items()},
        **settings,
    }
    with ExitStack() as undo:
        background.run(statement(servers.postgres, f'CREATE DATABASE "{database}" TEMPLATE "{template}"'))
        drop = f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'
        undo.callback(lambda: background.run(statement(servers.postgres, drop)))
        undo.callback(drop_mongo, servers.mongo, database)
        background.run(create(servers.kafka, topics))
        undo.callback(lambda: background.run(delete(servers.kafka, topics)))
        yield undo.enter_context(_processes(environment, topics, folder))


@contextmanager
def _processes(environment: dict[str, str], topics: Topics, folder: Path) -> Iterator[Site]:
    page = ServiceProcess("web", environment, folder / "web.log")
    command = ServiceProcess("command", environment | {"NOTES_CORS_ORIGINS": page.url}, folder / "command.log")
    environment |= {"NOTES_COMMAND_URL": command.url, "NOTES_CORS_ORIGINS": page.url}
    query = ServiceProcess("query", environment, folder / "query.log", ["--only", "api"])
    projector = ServiceProcess("query", environment, folder / "projector.log", ["--only", "projector"])
    page.set(NOTES_WEB_COMMAND_URL=command.url, NOTES_WEB_QUERY_URL=query.url)
    services = (command, query, projector, page)
    try:
        for service in services:
            service.start(wait=False)
        for service in services:
            service.wait_until_ready(READY_WITHIN_S)
        with httpx.Client(timeout=30, trust_env=False) as http:
            yield Site(command, query, projector, page, http, topics)
    finally:
        for service in services:
            service.kill()
        _show_logs(*services)


def _show_logs(*services: ServiceProcess) -> None:
    for service in services:
        print(f"--- {service.log.name} ---\n{service.log_tail()}")  # noqa: T201 - shown when a test fails


def drop_mongo(url: str, database: str) -> None:
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=30_000) as client:
        client.drop_database(database)


def until(what: Callable[[], Any], within: float = WITHIN_S) -> Any:
    """Return what is asked for as soon as it is true."""
    deadline, pausing = time.monotonic() + within, pauses()
    while not (found := what()):
        assert time.monotonic() < deadline, f"not within {within:g} s"
        time.sleep(next(pausing))
    return found
