"""Clients that read all the while: what one of them has seen does not get older."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import httpx

from tools.sandbox import Program
from tools.soak.checks import Findings
from tools.soak.plan import Plan

PAUSE_S: Final = 0.02
AFTER_REFUSAL_S: Final = 0.2
WAIT_S: Final = 0.5
TIMEOUT_S: Final = 15.0
LISTS: Final = 0.1
"""Of the reads: those of a page of the list."""
WAITING: Final = 0.3
"""Of the reads of one note: those that wait for the version that was sent last."""
VERSION_OF: Final = {HTTPStatus.NOT_FOUND: 0, HTTPStatus.GONE: 1 << 62}
"""What stands for the version in other answers: no version follows a deletion."""


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
        query = {"min_version": wanted, "wait": WAIT_S} if self.drawn.random() < WAITING else {}
        answer = await self._get(client, f"/notes/{note_id}", query, *VERSION_OF)
        if answer is None:
            return
        version = VERSION_OF.get(HTTPStatus(answer.status_code)) or answer.json().get("version", 0)
        self._see(note_id, version)
        consistency = answer.headers.get("Consistency")
        if consistency == "current" and version < wanted:
            self._wrong(f"note {note_id}: version {version} called current, {wanted} was asked for")
        if consistency == "parked":
            self.findings.add("parked", f"note {note_id}: a reader of {self.api.name} was told that it is parked")

    async def look_at_list(self, client: httpx.AsyncClient) -> None:
        """Read the newest notes."""
        answer = await self._get(client, "/notes", {"limit": 50, "status": "all"})
        for item in answer.json()["items"] if answer else []:
            self._see(item["id"], item["version"])

    async def _get(
        self, client: httpx.AsyncClient, path: str, query: Mapping[str, Any], *others: HTTPStatus
    ) -> httpx.Response | None:
        """Return an answer that is OK or one of `others`; None for one that the API had not to give: it was killed."""
        had_to_answer, life = self.api.ready, self.api.lives
        self.findings.counts["reads"] += 1
        try:
            answer = await client.get(path, params=query)
        except httpx.TransportError as error:
            failed, may_fail = repr(error), True
        else:
            if answer.status_code in (HTTPStatus.OK, *others):
                return answer
            failed = f"{answer.status_code} {answer.text}"
            may_fail = answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        if may_fail and not (had_to_answer and self.api.ready and self.api.lives == life):
            self.findings.counts["reads refused while their API was down"] += 1
            await asyncio.sleep(AFTER_REFUSAL_S)
        else:
            self._wrong(f"{path}: {failed}")
        return None

    def _see(self, note_id: str, version: int) -> None:
        known = self.seen.get(note_id, 0)
        if version < known:
            self._wrong(f"note {note_id}: it was at version {known}, and now is at {version}")
        self.seen[note_id] = version

    def _wrong(self, sentence: str) -> None:
        self.findings.add("wrong", f"{self.api.name}: {sentence}")
