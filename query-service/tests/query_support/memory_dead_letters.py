"""Dead letters."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from notes_chassis.dead_letters import After, DeadLetterFilter, Position
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing.dead_letter_store import KeptDeadLetter, facts_of


class MemoryDeadLetters:
    """DeadLetterStore and DeadLetters."""

    def __init__(self) -> None:
        self.dead_letters: dict[str, DeadLetter] = {}
        self.claimed_until: dict[str, datetime] = {}
        self.sent_at: dict[str, datetime] = {}
        self.kept: dict[str, KeptDeadLetter] = {}

    async def add(self, dead_letters: Sequence[DeadLetter]) -> None:
        for given in dead_letters:
            first = self.dead_letters.get(given.id)
            dead_letter = given if first is None or first.is_of(given.record) else given.marked()
            self.dead_letters.setdefault(dead_letter.id, dead_letter)
            kept = self.kept.setdefault(dead_letter.id, _kept(dead_letter))
            if kept.state == "redriven":
                self.kept[dead_letter.id] = replace(kept, state="open", changed_at=dead_letters[0].at)

    async def claim(self, now: datetime) -> DeadLetter | None:
        for id_, dead_letter in self.dead_letters.items():
            if id_ not in self.sent_at and self.claimed_until.get(id_, dead_letter.at) <= now:
                self.claimed_until[id_] = now + timedelta(minutes=1)
                return dead_letter
        return None

    async def waiting(self, now: datetime) -> bool:
        soon = now + timedelta(minutes=1)
        return any(
            self.claimed_until.get(id_, dead_letter.at) <= soon
            for id_, dead_letter in self.dead_letters.items()
            if id_ not in self.sent_at
        )

    async def sent(self, dead_letter: DeadLetter, now: datetime) -> None:
        self.sent_at.setdefault(dead_letter.id, now)

    async def put_off(self, dead_letter: DeadLetter, until: datetime) -> None:
        """Leave it to others."""
        self.claimed_until[dead_letter.id] = until

    async def find(self, wanted: DeadLetterFilter, limit: int) -> list[KeptDeadLetter]:
        found = [dead_letter for dead_letter in self.kept.values() if _meant(wanted, dead_letter)]
        found.sort(key=lambda one: After(one.at, Position.parse(one.id)))
        if wanted.after is not None:
            found = [one for one in found if After(one.at, Position.parse(one.id)) > wanted.after]
        return [replace(dead_letter, record=None) for dead_letter in found[:limit]]

    async def whole(self, position: Position | str) -> KeptDeadLetter | None:
        return self.kept.get(str(position))

    async def close(self, ids: Sequence[str], state: str, now: datetime) -> None:
        for id_ in ids:
            if id_ in self.kept and self.kept[id_].state != state:
                tries = self.kept[id_].tries + (state == "redriven")
                self.kept[id_] = replace(self.kept[id_], state=state, changed_at=now, tries=tries)

    async def failed_again(self, id_: str, code: str, reason: str, now: datetime) -> None:
        before = self.kept[id_]
        self.kept[id_] = replace(before, state="open", code=code, reason=reason, changed_at=now, tries=before.tries + 1)

    async def by_state(self) -> dict[str, int]:
        states = [dead_letter.state for dead_letter in self.kept.values()]
        return {state: states.count(state) for state in set(states)}


def _kept(dead_letter: DeadLetter) -> KeptDeadLetter:
    type_, note_id = facts_of(dead_letter.record)
    return KeptDeadLetter(
        dead_letter.id,
        str(dead_letter.code),
        dead_letter.reason,
        dead_letter.at,
        "open",
        type_,
        note_id,
        0,
        None,
        dead_letter.record,
    )


def _meant(wanted: DeadLetterFilter, dead_letter: KeptDeadLetter) -> bool:
    said = ((wanted.state, dead_letter.state), (wanted.reason, dead_letter.code), (wanted.subject, dead_letter.note_id))
    return (
        all(want is None or want == is_ for want, is_ in (*said, (wanted.type, dead_letter.type)))
        and (wanted.ids is None or dead_letter.id in map(str, wanted.ids))
        and (wanted.since is None or dead_letter.at >= wanted.since)
        and (wanted.until is None or dead_letter.at < wanted.until)
    )
