"""Stored dead letters with everything filled in that a test does not care about, and a keeper of them in memory."""

from dataclasses import dataclass, field, replace
from typing import Any

from command_support.builders import NOW, new_id, source

from notes_chassis.dead_letters import DeadLetterFilter, Position
from notes_command.dead_letters.dead_letter import HeldBack, SentBack, StoredDeadLetter


def stored_dead_letter(**changes: Any) -> StoredDeadLetter:
    fields: dict[str, Any] = {
        "source": source(),
        "command_id": new_id(),
        "note_id": new_id(),
        "type": "notes.command.update-note.v1",
        "code": "undecodable",
        "reason": "not JSON",
        "at": NOW,
        "state": "open",
    }
    return StoredDeadLetter(**fields | changes)


@dataclass
class DeadLettersAsked:
    """Stands in for PostgresDeadLetters in tests of the command line: answers from a list, and tells what was asked.

    Filters are PostgreSQL's work and tested there; here only ids and state are looked at.
    """

    kept: list[StoredDeadLetter]
    held: dict[Position, str] = field(default_factory=dict)
    asked: list[tuple[DeadLetterFilter, int]] = field(default_factory=list)
    forced: list[bool] = field(default_factory=list)

    async def find(self, wanted: DeadLetterFilter, limit: int) -> list[StoredDeadLetter]:
        self.asked.append((wanted, limit))
        found = [one for one in self.kept if wanted.ids is None or one.position in wanted.ids]
        return [one for one in found if wanted.state in (None, one.state)][:limit]

    async def whole(self, position: Position) -> StoredDeadLetter | None:
        return next((one for one in self.kept if one.position == position), None)

    async def redrive(
        self, wanted: DeadLetterFilter, limit: int, *, force: bool, all_or_none: bool = False
    ) -> SentBack:
        self.forced.append(force)
        found = await self.find(wanted, limit)
        held = [HeldBack(one, self.held[one.position]) for one in found if one.position in self.held and not force]
        sent = [one for one in found if force or one.position not in self.held]
        if held and all_or_none:
            sent = []
        self._set(sent, "redriven")
        return SentBack(sent, held)

    async def drop(self, wanted: DeadLetterFilter, limit: int) -> list[str]:
        found = await self.find(wanted, limit)
        self._set(found, "dropped")
        return [one.id for one in found]

    def _set(self, these: list[StoredDeadLetter], state: str) -> None:
        self.kept = [replace(one, state=state) if one in these else one for one in self.kept]
