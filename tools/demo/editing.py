"""Part three: one note is edited three ways."""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaProducer

from notes_contracts import UpdateNote, write
from notes_contracts.topics import COMMANDS_TOPIC
from tools.demo import show
from tools.demo.checks import check, check_fields
from tools.demo.reader import Reader
from tools.demo.system import System


@dataclass(frozen=True)
class Editor:
    """Edits the note `note_id`, titled `title`."""

    system: System
    reader: Reader
    note_id: str
    title: str

    def through_kafka(self, expected_version: int) -> None:
        """Publish a command as an upstream service does, and see it arrive."""
        body = "Edited straight through Kafka."
        command = UpdateNote(note_id=self.note_id, body=body, expected_version=expected_version)
        command_id = str(uuid4())
        began = asyncio.run(self._publish(command, command_id))
        view = self.reader.note(self.note_id, expected_version + 1)
        show.note(view, perf_counter() - began, since="after publishing")
        self._check(view, body, expected_version + 1)
        outcome = self.reader.outcome(command_id)
        check_fields("the outcome", outcome, {"status": "accepted", "version": expected_version + 1, "error": None})
        show.right(f"accepted as version {expected_version + 1}, and readable")

    async def _publish(self, command: UpdateNote, command_id: str) -> float:
        record = write(command, id=command_id, source="urn:notes:demo")
        topic = self.system.environment.get("NOTES_TOPIC_COMMANDS") or COMMANDS_TOPIC.name
        async with AIOKafkaProducer(bootstrap_servers=self.system.kafka, acks="all") as producer:
            began = perf_counter()
            await producer.send_and_wait(topic, key=record.key, value=record.value, headers=list(record.headers))
            return began

    def over_http(self, expected_version: int) -> None:
        """Post a command and wait for its outcome; the same request again changes nothing."""
        body = "Edited over HTTP, waiting for the outcome."
        command_id = str(uuid4())
        answer, seconds = self._post(body, expected_version, command_id)
        check("the status", answer.status_code, 200)
        accepted = {"command_id": command_id, "status": "accepted", "version": expected_version + 1, "error": None}
        check_fields("the outcome", answer.json(), accepted)
        show.say(f"HTTP 200, accepted as version {expected_version + 1}, in {show.milliseconds(seconds)}")
        view, seconds = self.reader.timed(self.note_id, expected_version + 1)
        show.note(view, seconds, since="for the answer")
        self._check(view, body, expected_version + 1)
        again, _ = self._post(body, expected_version, command_id)
        check("the outcome of the same request again", (again.status_code, again.json()), (200, answer.json()))
        self._check(self.reader.note(self.note_id, expected_version + 1), body, expected_version + 1)
        show.right("accepted and readable; the same request again got the same outcome and changed nothing")

    def with_a_stale_version(self, stale: int, present: int) -> None:
        """Post a command that has not seen the note's last version: it must be rejected and change nothing."""
        before = self.reader.note(self.note_id, present)
        answer, seconds = self._post("This must not be seen.", stale, str(uuid4()))
        check("the status", answer.status_code, 409)
        check("the content type", answer.headers["content-type"].partition(";")[0], "application/problem+json")
        problem = answer.json()
        check("the code", problem.get("code"), "version_conflict")
        show.say(f"HTTP 409 {problem['code']}: {problem.get('detail')}, in {show.milliseconds(seconds)}")
        view, seconds = self.reader.timed(self.note_id, present)
        show.note(view, seconds, since="for the answer")
        check("what a reader sees after the rejection", view, before)
        show.right("rejected, and nothing changed")

    def _post(self, body: str, expected_version: int, command_id: str) -> tuple[httpx.Response, float]:
        began = perf_counter()
        answer = httpx.post(
            f"{self.system.command_url}/commands/update-note",
            json={"note_id": self.note_id, "body": body, "expected_version": expected_version},
            headers={"Idempotency-Key": command_id, "Prefer": "wait=10"},
            timeout=30,
            trust_env=False,
        )
        return answer, perf_counter() - began

    def _check(self, view: dict[str, Any], body: str, version: int) -> None:
        expected = {"title": self.title, "preview": body, "word_count": len(body.split()), "version": version}
        check_fields("the note", view, expected)
