"""The demo's steps, in the order in which a person sees them."""

import argparse
import asyncio
import signal
import subprocess
import sys
from collections.abc import Mapping
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from notes_contracts import UpdateNote, write
from notes_contracts.topics import COMMANDS_TOPIC
from tools.demo.system import RIGHT, ROOT, Client, DemoError, chapter, check, say, system
from tools.kafka_client import client_options
from tools.markdown_import.files import NoteFile, find_markdown, note_id_of, read_note_file


def main() -> int:
    """Run the demo; return 0 only if every step was right."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the system running if every step was right")
    keep: bool = parser.parse_args().keep
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is stopped
    began = perf_counter()
    try:
        chapter("1  Real servers, both services")
        with system(keep=keep) as environment, httpx.Client(timeout=30, trust_env=False) as http:
            client = Client(environment, http)
            client.log_in()
            chapter("2  This project's own Markdown, straight to Kafka")
            note_id, file = _import(client)
            chapter("3  One note edited three ways")
            say(f"{file.path} is the note {note_id}")
            _edit(client, note_id, file.title)
            page = client.find_page()
    except KeyboardInterrupt:
        say("Interrupted; what was started is stopped.")
        return 130
    except (DemoError, httpx.HTTPError, KafkaError, OSError, ValueError) as error:
        what = "" if isinstance(error, DemoError) else "A server or a service did not answer: "
        say(f"{what}{error or type(error).__name__}", "✗ ", "bold red")
        return 1
    chapter("Done")
    say(f"Every step was right, in {perf_counter() - began:.1f} s.", *RIGHT)
    if keep and page:
        say(f"It keeps running. The page with these notes is at {page}; `make down` stops it.")
    elif page:
        say(f"The page with these notes was at {page}: `make demo KEEP=1` leaves it there; `make up` starts one.")
    return 0


def _import(client: Client) -> tuple[str, NoteFile]:
    """Import this checkout's Markdown, read every note back, and return one with its file. Raises DemoError."""
    namespace = uuid4()  # notes of its own, also on a system that has seen a demo before
    say(f"$ tools/import_markdown . --namespace {namespace}")
    with TemporaryDirectory() as folder:  # the checkout is not the demo's to write to
        command = [f"{ROOT}/tools/import_markdown", ".", f"--namespace={namespace}", f"--state={folder}/state.json"]
        done = subprocess.run(command, cwd=ROOT, env=client.environment, check=False)
    check("the importer's exit code", done.returncode, 0)
    files = {note_id_of(namespace, path): read_note_file(ROOT, path) for path in find_markdown(ROOT)}
    for number, (note_id, file) in enumerate(files.items()):
        view = client.note(note_id, 1, shown=number < 5)
        expected = {"id": note_id, "title": file.title, "tags": list(file.tags), "author": None, "status": "active"}
        text = {"preview": file.body[:100], "word_count": len(file.body.split()), "version": 1}
        check(file.path, view, expected | text)
    newest = {item["id"]: item["title"] for item in client.get("/notes", limit=200).json()["items"]}
    check("the titles in the list", newest, {note_id: file.title for note_id, file in files.items()})
    say(f"{len(files)} files are {len(files)} notes, every field as in the file, and all are in the list", *RIGHT)
    return next((note_id, file) for note_id, file in files.items() if file.path == "README.md")


def _edit(client: Client, note_id: str, title: str) -> None:
    def see(version: int, body: str) -> dict[str, Any]:
        view = client.note(note_id, version)
        expected = {"title": title, "preview": body, "word_count": len(body.split()), "version": version}
        check("the note", view, expected)
        return view

    say("update-note, straight to Kafka:")
    body, command_id = "Edited straight through Kafka.", str(uuid4())
    asyncio.run(_publish(client.environment, UpdateNote(note_id=note_id, body=body, expected_version=1), command_id))
    see(2, body)
    outcome = client.get(f"/commands/{command_id}", wait=10).json()
    check("the outcome", outcome, {"status": "accepted", "version": 2, "error": None})
    say("accepted as version 2, and readable", *RIGHT)

    say("POST /commands/update-note, waiting for the outcome:")
    body, command_id = "Edited over HTTP, waiting for the outcome.", str(uuid4())
    answer = client.update(note_id, body, 2, command_id)
    check("the status", answer.status_code, 200)
    accepted = {"command_id": command_id, "status": "accepted", "version": 3, "error": None}
    check("the outcome", answer.json(), accepted)
    before = see(3, body)
    again = client.update(note_id, body, 2, command_id)
    check("the answer to the same request again", (again.status_code, again.json()), (200, answer.json()))
    say("accepted and readable; the same request again got the same outcome and changed nothing", *RIGHT)

    say("the same, having seen version 1 only:")
    answer = client.update(note_id, "This must not be seen.", 1, str(uuid4()))
    problem = answer.json()
    say(f"HTTP {answer.status_code} {problem.get('code')}: {problem.get('detail')}")
    check("the answer", (answer.status_code, problem.get("code")), (409, "version_conflict"))
    check("what a reader sees after the rejection", see(3, body), before)
    say("rejected, and nothing changed", *RIGHT)


async def _publish(environment: Mapping[str, str], command: UpdateNote, command_id: str) -> None:
    """Do what an upstream service does."""
    record = write(command, id=command_id, source="urn:notes:demo")
    topic = environment.get("NOTES_TOPIC_COMMANDS") or COMMANDS_TOPIC.name
    async with AIOKafkaProducer(**client_options(environment), acks="all") as producer:
        await producer.send_and_wait(topic, key=record.key, value=record.value, headers=list(record.headers))


sys.exit(main())
