"""The run: sends what has changed, takes the outcomes."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from time import perf_counter
from typing import Protocol

from notes_contracts import Outcome, format_time, write
from tools.markdown_import.bus import Bus
from tools.markdown_import.chain import goes_on, settle
from tools.markdown_import.in_flight import InFlight, Sent
from tools.markdown_import.preparation import Preparation, Prepared, Turn

LIMIT = 500
"""Commands that are out at once."""
CHUNK = 100
"""Files read, and commands made durable, at once."""
MAX_LINKS = 5
"""Commands a file gets in one run, before its last outcome is booked as it is."""
SOURCE = "urn:notes:markdown-import"


class Watcher(Protocol):
    """Whoever wants to see for himself that an accepted note can be read."""

    def watch(self, path: str, note_id: str, version: int, published: float) -> None:
        """Take note of an accepted version, published at that time of `perf_counter`."""
        ...


@dataclass(slots=True)
class Importer:
    """One run. `patience`: after so many seconds without an outcome nobody waits for one."""

    preparation: Preparation
    bus: Bus
    patience: float
    watcher: Watcher | None = None
    _in_flight: InFlight = field(init=False)
    _again: deque[Turn] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        self._in_flight = InFlight(LIMIT, self.patience)

    async def run(self, paths: Sequence[str]) -> None:
        """Bring the files in.

        Raises ImportStoppedError if Kafka or the state file fails; what the state file holds is right then,
        too.
        """
        tasks = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._send_all(Turn(path) for path in paths)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.preparation.ledger.report.pending = self._in_flight.unanswered()

    async def _send_all(self, turns: Iterator[Turn]) -> None:
        while True:
            size = min(CHUNK, await self._in_flight.room())
            chunk = [self._again.popleft() for _ in range(min(size, len(self._again)))]
            chunk += islice(turns, size - len(chunk))
            if chunk:
                await self._send(chunk)
            elif not len(self._in_flight) or not await self._in_flight.answer():
                return

    async def _send(self, chunk: list[Turn]) -> None:
        notes = await asyncio.to_thread(self.preparation.read, chunk)
        prepared = self.preparation.commands(chunk, notes)
        if not prepared:
            return
        state = self.preparation.state
        state.record({each.note.path: each.link.entry for each in prepared})
        await asyncio.to_thread(state.sync)
        self.preparation.ledger.report.sent += len(prepared)
        now = perf_counter()
        for each in prepared:
            self._in_flight.add(each.link.command_id, _sent(each, now))
        time = format_time(datetime.now(UTC))
        links = [each.link for each in prepared]
        await self.bus.publish([write(link.command, id=link.command_id, source=SOURCE, time=time) for link in links])

    async def _listen(self) -> None:
        while True:
            for outcome in await self.bus.receive():
                if sent := self._in_flight.take(outcome.command_id):
                    self._take(sent, outcome)

    def _take(self, sent: Sent, outcome: Outcome) -> None:
        state, ledger, force = self.preparation.state, self.preparation.ledger, self.preparation.force
        before = state.entries[sent.path]
        entry = settle(before, outcome)
        state.record({sent.path: entry})
        if goes_on(outcome, sent.digest, force=force) and sent.links < MAX_LINKS:
            self._again.append(Turn(sent.path, sent.links))
        elif outcome.status != "accepted":
            ledger.refused(sent.path, outcome, before)
        else:
            ledger.accepted(sent.path, entry, sent.title, sent.tags)
            if self.watcher and entry.version is not None:
                self.watcher.watch(sent.path, sent.note_id, entry.version, sent.at)


def _sent(prepared: Prepared, at: float) -> Sent:
    note, link = prepared.note, prepared.link
    return Sent(note.path, link.command.note_id, note.title, note.tags, link.digest, at, prepared.links)
