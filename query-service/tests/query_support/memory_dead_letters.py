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
        self.letters: dict[str, DeadLetter] = {}
        self.claimed_until: dict[str, datetime] = {}
        self.sent_at: dict[str, datetime] = {}
        self.kept: dict[str, KeptDeadLetter] = {}

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        for given in letters:
            first = self.letters.get(given.id)
            letter = given if first is None or first.is_of(given.record) else given.marked()
            self.letters.setdefault(letter.id, letter)
            kept = self.kept.setdefault(letter.id, _kept(letter))
            if kept.state == "redriven":
                self.kept[letter.id] = replace(kept, state="open", changed_at=letters[0].at)

    async def claim(self, now: datetime) -> DeadLetter | None:
        for id_, letter in self.letters.items():
            if id_ not in self.sent_at and self.claimed_until.get(id_, letter.at) <= now:
                self.claimed_until[id_] = now + timedelta(minutes=1)
                return letter
        return None

    async def waiting(self, now: datetime) -> bool:
        soon = now + timedelta(minutes=1)
        return any(
            self.claimed_until.get(id_, letter.at) <= soon
            for id_, letter in self.letters.items()
            if id_ not in self.sent_at
        )

    async def sent(self, letter: DeadLetter, now: datetime) -> None:
        self.sent_at.setdefault(letter.id, now)

    async def put_off(self, letter: DeadLetter, until: datetime) -> None:
        """Leave it to others."""
        self.claimed_until[letter.id] = until

    async def find(self, wanted: DeadLetterFilter, limit: int) -> list[KeptDeadLetter]:
        found = [letter for letter in self.kept.values() if _meant(wanted, letter)]
        found.sort(key=lambda one: After(one.at, Position.parse(one.id)))
        if wanted.after is not None:
            found = [one for one in found if After(one.at, Position.parse(one.id)) > wanted.after]
        return [replace(letter, record=None) for letter in found[:limit]]

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
        states = [letter.state for letter in self.kept.values()]
        return {state: states.count(state) for state in set(states)}


def _kept(letter: DeadLetter) -> KeptDeadLetter:
    type_, note_id = facts_of(letter.record)
    return KeptDeadLetter(
        letter.id, str(letter.code), letter.reason, letter.at, "open", type_, note_id, 0, None, letter.record
    )


def _meant(wanted: DeadLetterFilter, letter: KeptDeadLetter) -> bool:
    said = ((wanted.state, letter.state), (wanted.reason, letter.code), (wanted.subject, letter.note_id))
    return (
        all(want is None or want == is_ for want, is_ in (*said, (wanted.type, letter.type)))
        and (wanted.ids is None or letter.id in map(str, wanted.ids))
        and (wanted.since is None or letter.at >= wanted.since)
        and (wanted.until is None or letter.at < wanted.until)
    )
