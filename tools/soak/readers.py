"""Clients that read all the while: what one of them has seen does not get older."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import httpx

from tools.sandbox import Program
from tools.soak.plan import Plan
from tools.soak.report import Findings

PAUSE_S: Final = 0.02
AFTER_REFUSAL_S: Final = 0.2
WAIT_S: Final = 0.5
TIMEOUT_S: Final = 15.0
LISTS: Final = 0.1
"""Of the reads: those of a page of the list."""
WAITING: Final = 0.3
"""Of the reads of one note: those that wait for the version that was sent last."""
DELETED: Final = 1 << 62
"""In the place of a version that no other follows."""


@dataclass(slots=True)
class Reader:
    """Asks one API, one request after the other. `seen`: the newest version of each note in its answers."""

    api: Program
    plan: Plan
    findings: Findings
    seen: dict[str, int] = field(default_factory=dict)
    drawn: random.Random = field(default_factory=random.Random)

    async def run(self, done: asyncio.Event) -> None:
        """Read until `done`."""
        async with httpx.AsyncClient(base_url=self.api.url, timeout=TIMEOUT_S) as client:
            while not done.is_set():
                if self.drawn.random() < LISTS:
                    await self.look_at_list(client)
                elif self.plan.recent:
                    await self.look_at_note(client, self.drawn.choice(self.plan.recent))
                await asyncio.sleep(PAUSE_S)

    async def look_at_note(self, client: httpx.AsyncClient, note_id: str) -> None:
        """Read one note; now and then at the version that was sent last, if it comes soon enough."""
        wanted = self.plan.notes[note_id].version
        waiting = self.drawn.random() < WAITING
        query = {"min_version": wanted, "wait": WAIT_S} if waiting else {}
        answer = await self._get(client, f"/notes/{note_id}", query)
        if answer is None:
            return
        if answer.status_code == HTTPStatus.OK:
            version = answer.json()["version"]
            self._see(note_id, version)
            if answer.headers.get("Consistency") == "current" and version < wanted:
                self._wrong(f"note {note_id}: version {version} called current, {wanted} was asked for")
        elif answer.status_code == HTTPStatus.NOT_FOUND:
            self._see(note_id, 0)
        elif answer.status_code == HTTPStatus.GONE:
            self._see(note_id, DELETED)
        else:
            self._wrong(f"note {note_id}: {answer.status_code} {answer.text}")
        if answer.headers.get("Consistency") == "parked":
            self.findings.parked.append(f"note {note_id}: a reader of {self.api.name} was told that it is parked")

    async def look_at_list(self, client: httpx.AsyncClient) -> None:
        """Read the newest notes."""
        answer = await self._get(client, "/notes", {"limit": 50, "status": "all"})
        if answer is None:
            return
        if answer.status_code != HTTPStatus.OK:
            self._wrong(f"the list: {answer.status_code} {answer.text}")
            return
        for item in answer.json()["items"]:
            self._see(item["id"], item["version"])

    async def _get(self, client: httpx.AsyncClient, path: str, query: Mapping[str, Any]) -> httpx.Response | None:
        """Return the answer; None for one that is missing because the API was killed, or has to be ready first."""
        had_to_answer, life = self.api.ready, self.api.lives
        self.findings.reads += 1
        try:
            answer = await client.get(path, params=query)
            failed = answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE and answer.text
        except httpx.TransportError as error:
            answer, failed = None, repr(error)
        if not failed:
            return answer
        if had_to_answer and self.api.ready and self.api.lives == life:
            self._wrong(f"{path}: {failed}")
        else:
            self.findings.refusals += 1
            await asyncio.sleep(AFTER_REFUSAL_S)
        return None

    def _see(self, note_id: str, version: int) -> None:
        known = self.seen.get(note_id, 0)
        if version < known:
            known_as, now = ("deleted" if one == DELETED else f"at version {one}" for one in (known, version))
            self._wrong(f"note {note_id}: it was {known_as}, and now is {now}")
        self.seen[note_id] = version

    def _wrong(self, sentence: str) -> None:
        self.findings.wrong.append(f"{self.api.name}: {sentence}")
